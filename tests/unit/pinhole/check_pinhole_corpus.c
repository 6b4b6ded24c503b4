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

#include "flowaudit/capture.h"
#include "flowaudit/flow.h"
#include "flowaudit/pinhole.h"
#include "pinhole_bed.h"

#define CORPUS TEST_SOURCE_ROOT "/../shared/captures"
#define LAB    TEST_SOURCE_ROOT "/../shared/captures-lab"
#define BATCH  64

struct found {
    struct pinhole *holes;
    size_t n, size;
    struct pinholes_stats stats;
};

struct ext {
    struct pinhole_state *state;
    unsigned n_shown;
    bool     done;
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

static struct pinholes *pinholes;

static void on_flow_end(void *aux, struct flow_record *record, void *ext)
{
    struct ext *e = ext;

    (void)aux;
    if (e != NULL && record->end != FLOW_END_ACTIVE)
        pinhole_end(pinholes, e->state);
}

/* As a shard does it: the first two payloads of a flow are sniffed, the rest only where it is signalling. */
static void show(struct flow_table *flows, const struct packet *p)
{
    struct flow_step step;

    flow_table_track(flows, flow_table_hash(flows, p), p, &step);
    if (step.result != PACKET_OK || p->payload_len == 0)
        return;
    struct ext *e = flow_ext(flows, step.flow);
    if (e == NULL || e->done)
        return;
    if (e->state == NULL)
        e->state = pinhole_begin(pinholes, p);
    e->done = e->state == NULL && ++e->n_shown >= 2;
    if (e->state != NULL && !pinhole_packet(pinholes, e->state, p, step.side)) {
        pinhole_end(pinholes, e->state);
        e->state = NULL;
        e->done = true;
    }
}

static void read_capture(const char *path, struct found *found)
{
    struct flow_options options;
    struct flow_table  *flows;
    struct capture     *capture;
    struct frame        frames[BATCH];
    struct packet       packet;
    int                 n;

    *found = (struct found){.n = 0};
    if (capture_open_file(path, NULL, &capture, NULL) < 0)
        return;
    flow_options_default(&options);
    options.ext_size = sizeof(struct ext);
    ck_assert_int_eq(flow_table_new(&options, on_flow_end, NULL, &flows, NULL), 0);
    ck_assert_int_eq(pinholes_new(NULL, on_pinhole, found, &pinholes, NULL), 0);
    while ((n = capture_next_batch(capture, frames, BATCH, NULL)) > 0) {
        for (int i = 0; i < n; i++) {
            if (packet_decode(&frames[i], &packet) == PACKET_OK)
                show(flows, &packet);
        }
    }
    flow_table_drain(flows, 0);
    pinholes_stats(pinholes, &found->stats);
    ck_assert_uint_eq(found->stats.n_states, 0);
    pinholes_free(pinholes);
    flow_table_free(flows);
    capture_free(capture);
}

static char *read_text(const char *path)
{
    FILE *f = fopen(path, "r");
    char *text;
    long  size;

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

static unsigned check_section(const struct section *s, const char *text, const struct found *found, const char *file)
{
    const char *list = strstr(text, s->name);
    unsigned    n = 0, n_questions = 0, n_objects = 0;

    list = list == NULL ? NULL : strchr(list, '[');
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
    DIR     *dir = opendir(CORPUS);
    unsigned n = 0;

    if (dir == NULL)
        fprintf(stderr, "skipped: no captures in %s\n", CORPUS);
    for (const struct dirent *e; dir != NULL && (e = readdir(dir)) != NULL;) {
        char         path[1024];
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
