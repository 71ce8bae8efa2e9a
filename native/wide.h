/* Instructions for eight numbers at once, where compiler and processor have them.

   What is written with them stands beside plain C that gives the same results. */

#ifndef MODERATION_WIDE_H
#define MODERATION_WIDE_H

#if defined(__x86_64__) && defined(__GNUC__) && !defined(MODERATION_PLAIN)
#define WIDE __attribute__((target("avx2,fma")))
#include <immintrin.h>

static inline int is_wide(void) { return __builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma"); }
#else
static inline int is_wide(void) { return 0; }
#endif

#endif
