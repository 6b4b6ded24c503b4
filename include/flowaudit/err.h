/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Errors as values.
 *
 * Every call that can fail returns 0 (or a count) or a negative errno, and puts one
 * sentence into the caller's 'struct err'.  Success outputs ('ret_...') are untouched on
 * failure.  Libraries never print: the program decides who reads the sentence.
 */
#ifndef FLOWAUDIT_ERR_H
#define FLOWAUDIT_ERR_H

struct err {
    int  code;     /* negative errno, 0 = no error */
    char msg[512]; /* one sentence, no newline; cut at the end where longer */
};

/* Fills 'reterr' (may be NULL) and returns 'code', so that a caller can say
 * 'return err_set(reterr, -EINVAL, "...")'. */
int err_set(struct err *reterr, int code, const char *fmt, ...) __attribute__((format(printf, 3, 4)));

/* Puts text in front of the sentence: the input's name, say.  Returns the code held. */
int err_prefix(struct err *reterr, const char *fmt, ...) __attribute__((format(printf, 2, 3)));

#endif
