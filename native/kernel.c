/* The hot loops of moderation: folding views and matching literals over a batch of posts.

   Every function here has a reference in Python and numpy (moderation/text, moderation/rules)
   that gives the same results; the tests compare the two. Arguments are buffers of plain numbers,
   results are bytes objects: neither numpy nor any Python object is touched in a loop. */

#include "bag.h"
#include "common.h"
#include "features.h"
#include "ngrams.h"
#include "tokens.h"

static PyMethodDef methods[] = {
    {"fold", kernel_fold, METH_VARARGS, "Fold code points through a table."},
    {"unspace", kernel_unspace, METH_VARARGS, "Drop the spaces of posts whose words stand apart."},
    {"compact", kernel_compact, METH_VARARGS, "Drop noise and collapse repeats."},
    {"sound", kernel_sound, METH_VARARGS, "Han and pinyin to syllables, leet to letters."},
    {"build", kernel_build, METH_VARARGS, "Build an automaton."},
    {"begins", kernel_begins, METH_VARARGS, "Return bits by how patterns begin."},
    {"scan", kernel_scan, METH_VARARGS, "Find every pattern in a view."},
    {"clauses", kernel_clauses, METH_VARARGS, "Say which clauses are met in which posts."},
    {"sieve", kernel_sieve, METH_VARARGS, "Prepare to look for some patterns of an automaton."},
    {"notice", kernel_notice, METH_VARARGS, "Say which clauses are met in which posts of a base view."},
    {"cells", kernel_cells, METH_O, "Return an automaton as arrays."},
    {"restored", kernel_restored, METH_VARARGS, "Take an automaton from arrays."},
    {"sieve_parts", kernel_sieve_parts, METH_O, "Return a sieve as arrays."},
    {"restored_sieve", kernel_restored_sieve, METH_VARARGS, "Take a sieve from arrays."},
    {"disguises", kernel_disguises, METH_VARARGS, "Say which posts have to be read in another way."},
    {"sketches", kernel_sketches, METH_VARARGS, "Take the sketches of regular expressions."},
    {"sketched", kernel_sketched, METH_VARARGS, "Say which of them may match a text."},
    {"program", kernel_program, METH_VARARGS, "Take the conditions of rules."},
    {"findings", kernel_findings, METH_VARARGS, "Say what rules hold in the posts of a batch."},
    {"collector", kernel_collector, METH_VARARGS, "Take the literals of rules and their forms."},
    {"collect", kernel_collect, METH_VARARGS, "Say where the literals of a batch stand."},
    {"decision", kernel_decision, METH_VARARGS, "Take what a decision depends on."},
    {"decide", kernel_decide, METH_VARARGS, "Decide posts by what the rules found in them."},
    {"decode", kernel_decode, METH_VARARGS, "Read UTF-8 as code points."},
    {"ngrams", kernel_ngrams, METH_VARARGS, "Hash n-grams into buckets."},
    {"ngram_sums", kernel_ngram_sums, METH_VARARGS, "Add up the weights of every post's n-grams."},
    {"ngram_set_sums", kernel_ngram_set_sums, METH_VARARGS, "The same, each bucket of a post once."},
    {"screened", kernel_screened, METH_VARARGS, "Say which posts leave by the screen, with their log-odds."},
    {"tokenizer", kernel_tokenizer, METH_VARARGS, "Read a sentencepiece model."},
    {"encode", kernel_encode, METH_VARARGS, "Cut every post into the likeliest pieces."},
    {"bag", kernel_bag, METH_VARARGS, "Run the graph of a bag of tokens and n-grams."},
    {"pad", kernel_pad, METH_VARARGS, "Fill rows up to one width."},
    {"taken", kernel_taken, METH_VARARGS, "Take some of the posts."},
    {"scripts", kernel_scripts, METH_VARARGS, "Count every post's letters by script."},
    {"languages", kernel_languages, METH_VARARGS, "Say which language posts are in."},
    {NULL, NULL, 0, NULL},
};

static PyModuleDef_Slot slots[] = {{0, NULL}};

static struct PyModuleDef module = {
    PyModuleDef_HEAD_INIT, "moderation._kernel", "Folding and matching over a batch.", 0, methods, slots, NULL, NULL, NULL,
};

PyMODINIT_FUNC PyInit__kernel(void) { return PyModuleDef_Init(&module); }