/* SPDX-License-Identifier: Apache-2.0 */
#include <string.h>

#include "cli.h"
#include "flowaudit/report.h"
#include "flowaudit/seal.h"
#include "options.h"

static const char help[] =
    "usage: flowaudit verify DB [--inputs DIR] [--seal SHA256] [-q]\n\n"
    "Recomputes the digests of a record: of its pages, of every table of every run,\n"
    "of the site and matrix texts, and the chain of seals over its runs.  It shows\n"
    "what was altered after the runs ended.  Who can write the file can also seal it\n"
    "anew: sign the last seal, or keep it where others cannot write.\n\n"
    "      --inputs DIR     also hold the captures in DIR to the recorded digests\n"
    "      --seal SHA256    a seal that was kept elsewhere: must be in the chain\n"
    "  -q, --quiet          only what does not hold, and the last line\n"
    "  -h, --help           this text\n\n"
    "Exit: 0 all holds, 1 something was altered, 2 wrong usage or unusable file,\n"
    "      3 something could not be verified.\n";

struct tally {
    bool     quiet;
    uint64_t n[SEAL_UNKNOWN + 1];
};

static void tell(void *aux, enum seal_word word, int64_t run_id, const char *sentence)
{
    static const char *const words[] = {[SEAL_HOLDS] = "holds", [SEAL_ALTERED] = "ALTERED", [SEAL_UNKNOWN] = "unknown"};
    struct tally            *t = aux;

    t->n[word]++;
    if (t->quiet && word == SEAL_HOLDS)
        return;
    printf("%-8s", words[word]);
    if (run_id != 0)
        printf("run %lld: ", (long long)run_id);
    report_put_safe(stdout, sentence);
    putchar('\n');
}

static int conclude(const struct tally *t)
{
    if (t->n[SEAL_ALTERED] > 0)
        printf("ALTERED: %llu of %llu checks fail.\n", (unsigned long long)t->n[SEAL_ALTERED],
               (unsigned long long)(t->n[SEAL_ALTERED] + t->n[SEAL_HOLDS] + t->n[SEAL_UNKNOWN]));
    else if (t->n[SEAL_UNKNOWN] > 0)
        printf("Nothing was found to be altered; %llu could not be verified, %llu hold.\n", (unsigned long long)t->n[SEAL_UNKNOWN],
               (unsigned long long)t->n[SEAL_HOLDS]);
    else
        printf("Verified: all %llu checks hold.\n", (unsigned long long)t->n[SEAL_HOLDS]);
    return finish_output(t->n[SEAL_ALTERED] > 0 ? EXIT_FINDINGS : t->n[SEAL_UNKNOWN] > 0 ? EXIT_INCOMPLETE : EXIT_NOTHING);
}

static int run(const char *path, const char *inputs, const char *seal, struct tally *t)
{
    struct reader *reader;
    struct err     err = {0};
    int            rc = reader_open(path, &reader, &err);

    if (rc != 0)
        return complain("%s", err.msg);
    rc = reader_hold(reader, &err);
    if (rc == 0)
        rc = seal_verify(reader, seal, tell, t, &err);
    if (rc == 0 && inputs != NULL)
        rc = seal_verify_inputs(reader, inputs, tell, t, &err);
    reader_free(reader);
    if (rc != 0) {
        fflush(stdout);
        complain("%s", err.msg);
        return EXIT_UNUSABLE;
    }
    return conclude(t);
}

static int take_seal(const char *text, void *to)
{
    if (strlen(text) != 64 || strspn(text, "0123456789abcdef") != 64)
        return complain("--seal: 64 hexadecimal digits are wanted, in lower case");
    *(const char **)to = text;
    return 0;
}

int cmd_verify(int argc, char **argv)
{
    const char               *inputs = NULL, *seal = NULL;
    struct tally              tally = {0};
    const struct option_row   rows[] = {{"inputs", 0, OPTION_TEXT, &inputs, NULL},
                                        {"seal", 0, OPTION_CALL, &seal, take_seal},
                                        {"quiet", 'q', OPTION_FLAG, &tally.quiet, NULL}};
    const struct command_line line = {"verify", help, OPTION_ROWS(rows), 1, 1, "verify takes one database"};
    int                       first, rc = options_take(&line, argc, argv, &first);

    return rc != OPTIONS_TAKEN ? rc : run(argv[first], inputs, seal, &tally);
}
