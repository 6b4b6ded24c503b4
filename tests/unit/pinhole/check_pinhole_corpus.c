/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Real captures through reading, decoding, flow table and pinholes, held against what another dissector found in
 * them (truth/NAME.json: "epm", "sdp", "skinny_media").  Skipped where the captures are absent.
 */
#include <check.h>
#include <dirent.h>
#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "pinhole_drive.h"

#define CORPUS TEST_SOURCE_ROOT "/../shared/captures"
#define LAB    TEST_SOURCE_ROOT "/../shared/captures-lab"

struct found {
    struct pinhole *holes;
    size_t n, size;
    struct pinholes_stats stats;
};

static void on_pinhole(void *aux, const struct pinhole *hole)
{
    struct found *found = aux;

    if (found->n == found->size) {
        found->size = found->size == 0 ? 64 : 2 * found->size;
        found->holes = realloc(found->holes, found->size * sizeof(*found->holes));
        ck_assert_ptr_nonnull(found->holes);
    }
    found->holes[found->n++] = *hole;
}

static void read_capture(const char *path, struct found *found)
{
    *found = (struct found){.n = 0};
    if (pinhole_drive(path, on_pinhole, found, &found->stats, NULL) == 0)
        ck_assert_uint_eq(found->stats.n_states, 0);
}

static char *read_text(const char *path)
{
    FILE *f = fopen(path, "r");
    char *text;
    long size;

    if (f == NULL)
        return NULL;
    fseek(f, 0, SEEK_END);
    size = ftell(f);
    rewind(f);
    text = calloc(1, (size_t)size + 1);
    ck_assert_ptr_nonnull(text);
    ck_assert_uint_eq(fread(text, 1, (size_t)size, f), (size_t)size);
    fclose(f);
    return text;
}

static bool has(const struct found *found, uint64_t frame, unsigned long port, int transport)
{
    for (size_t i = 0; i < found->n; i++) {
        const struct pinhole *h = &found->holes[i];
        if (h->packet_number == frame && h->port == port && (transport == 0 || h->transport == transport) &&
            h->kind != PINHOLE_RPC_BIND && !h->rtcp)
            return true;
    }
    return false;
}

/* Calls 'fn' with each quoted number between 'from' and 'to'. */
static unsigned quoted_ports(const char *from, const char *to, const struct found *found, uint64_t frame, int transport,
                             const char *file)
{
    unsigned n = 0;

    for (const char *p = from; p != NULL && p < to && (p = strchr(p, '"')) != NULL && p < to;) {
        char *end;
        unsigned long port = strtoul(++p, &end, 10);
        if (end > p && *end == '"' && port > 0) {
            ck_assert_msg(has(found, frame, port, transport), "%s: frame %lu announces port %lu, not found", file,
                          (unsigned long)frame, port);
            n++;
        }
        p = strchr(p, '"');
        p = p == NULL ? NULL : p + 1;
    }
    return n;
}

static const char *value_of(const char *object, const char *end, const char *key)
{
    const char *p = strstr(object, key);

    return p != NULL && p < end ? p + strlen(key) : NULL;
}

/* The bracket that closes the one at 'p'. */
static const char *closing(const char *p)
{
    int depth = 0;

    for (; *p != '\0'; p++) {
        depth += *p == '[' || *p == '{';
        depth -= *p == ']' || *p == '}';
        if (depth == 0)
            return p;
    }
    return p;
}

struct section {
    const char *name;
    struct {
        const char *key;
        int transport;
    } ports[2];
};

static const struct section sections[] = {
    {"\"epm\":", {{"\"tcp\":", IPPROTO_TCP}, {"\"udp\":", IPPROTO_UDP}}},
    {"\"sdp\":", {{"\"media\":", 0}}},
    {"\"skinny_media\":", {{"\"port\":", IPPROTO_UDP}}},
};

/* A question to the mapper names a port too, and is not an answer. */
static bool is_question(const struct section *s, const struct found *found, uint64_t frame)
{
    if (s != &sections[0])
        return false;
    for (size_t i = 0; i < found->n; i++) {
        if (found->holes[i].packet_number == frame && found->holes[i].kind == PINHOLE_EPM_MAP)
            return false;
    }
    return true;
}

/* Other objects have numbers under the same names. */
static const char *find_list(const char *text, const char *name)
{
    for (const char *p = text; (p = strstr(p, name)) != NULL;) {
        p += strlen(name);
        const char *value = p + strspn(p, " \n");
        if (*value == '[')
            return value;
    }
    return NULL;
}

static unsigned check_section(const struct section *s, const char *text, const struct found *found, const char *file)
{
    const char *list = find_list(text, s->name);
    unsigned n = 0, n_questions = 0, n_objects = 0;

    if (list == NULL)
        return 0;
    const char *list_end = closing(list);
    for (const char *o = strchr(list, '{'); o != NULL && o < list_end; o = strchr(closing(o), '{')) {
        const char *end = closing(o), *frame = value_of(o, end, "\"frame\":");
        ck_assert_ptr_nonnull(frame);
        uint64_t number = strtoul(frame, NULL, 10);
        n_objects++;
        if (is_question(s, found, number)) {
            n_questions++;
            continue;
        }
        for (unsigned i = 0; i < 2 && s->ports[i].key != NULL; i++) {
            const char *value = value_of(o, end, s->ports[i].key);
            if (value != NULL)
                n += quoted_ports(value, closing(strchr(value, '[')), found, number, s->ports[i].transport, file);
        }
    }
    if (s == &sections[0])
        ck_assert_msg(2 * n_questions == n_objects, "%s: %u of %u mapper frames announce nothing", file, n_questions,
                      n_objects);
    return n;
}

START_TEST(every_port_in_the_truth_is_found)
{
    DIR *dir = opendir(CORPUS);
    unsigned n = 0;

    if (dir == NULL)
        fprintf(stderr, "skipped: no captures in %s\n", CORPUS);
    for (const struct dirent *e; dir != NULL && (e = readdir(dir)) != NULL;) {
        char path[1024];
        struct found found;

        snprintf(path, sizeof(path), CORPUS "/truth/%s.json", e->d_name);
        char *truth = read_text(path);
        if (truth == NULL)
            continue;
        snprintf(path, sizeof(path), CORPUS "/%s", e->d_name);
        read_capture(path, &found);
        for (size_t i = 0; i < sizeof(sections) / sizeof(sections[0]); i++)
            n += check_section(&sections[i], truth, &found, e->d_name);
        free(found.holes);
        free(truth);
    }
    if (dir != NULL) {
        closedir(dir);
        ck_assert_uint_ge(n, 60);
    }
}
END_TEST

Suite *suite_pinhole_corpus(void);

Suite *suite_pinhole_corpus(void)
{
    Suite *suite = suite_create("pinhole_corpus");
    TCase *tc = tcase_create("captures");

    tcase_set_timeout(tc, 120);
    tcase_add_test(tc, every_port_in_the_truth_is_found);
    suite_add_tcase(suite, tc);
    return suite;
}
