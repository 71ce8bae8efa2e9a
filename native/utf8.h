/* UTF-8, read strictly. */

#ifndef MODERATION_UTF8_H
#define MODERATION_UTF8_H

#include <stdint.h>

/* Take one code point of UTF-8 from `byte`, of which `left` are there; return how many bytes it has,
   0 where they are none: overlong, a surrogate, past 0x10FFFF, or cut short. */
static inline int code_point(const uint8_t *byte, int64_t left, uint32_t *code) {
    uint32_t first = byte[0];
    if (first < 0x80) {
        *code = first;
        return 1;
    }
    int more = first >= 0xF0 ? 3 : first >= 0xE0 ? 2 : 1;
    if (first < 0xC2 || first > 0xF4 || left <= more) return 0;
    uint32_t found = first & (0x3Fu >> more);
    for (int k = 1; k <= more; k++) {
        if ((byte[k] & 0xC0) != 0x80) return 0;
        found = found << 6 | (byte[k] & 0x3F);
    }
    if (more == 2 && (found < 0x800 || (found >= 0xD800 && found < 0xE000))) return 0;
    if (more == 3 && (found < 0x10000 || found > 0x10FFFF)) return 0;
    *code = found;
    return more + 1;
}

#endif
