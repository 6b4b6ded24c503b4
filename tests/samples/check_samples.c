/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The samples through reading, decoding, flow table and classifier: every flow must come out as the generator meant it
 * (samples/EXPECTED.tsv), and none besides.
 */
#include <check.h>
#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "flowaudit/capture.h"
#include "flowaudit/classify.h"
#include "flowaudit/flow.h"

#define MAX_FLOWS 512 /* lines of one file in the table */
#define MAX_LINE  512
#define N_COLUMNS 15

enum column {
    COL_FILE,
    COL_CLIENT,
    COL_CLIENT_PORT,
    COL_SERVER,
    COL_SERVER_PORT,
    COL_TRANSPORT,
    COL_APP,
    COL_VERDICT,
    COL_KIND,
    COL_OUTCOME,
    COL_ROW,
    COL_PACKETS,
    COL_FIRST_PACKET,
    COL_INTENDED,
    COL_NOTE,
};

struct expected {
    char line[MAX_LINE];
    char *text[N_COLUMNS];
    char app[MAX_LINE];
    const char *names[3]; /* protocols of 'app', NULL-terminated */
    struct tuple tuple;
    unsigned n_records;
};

struct bed {
    const char *file;
    struct expected *expected;
    size_t n_expected;
    struct classifier *classifier;
    struct flow_table *table;
    int64_t last_ns;
    char problems[4096];
};

struct ext {
    struct classify_state *state;
    const struct expected *expected;
    bool looked_up, final;
    int side_of_first; /* of the first packet shown to the classifier */
};

static const char *const files[] = {"healthy.pcapng", "incident.pcapng", "web-shop.pcap"};

static void complain(struct bed *bed, const struct expected *e, const char *what, const char *got)
{
    size_t used = strlen(bed->problems);

    snprintf(bed->problems + used, sizeof(bed->problems) - used, "\n%s:%s -> %s:%s/%s %s: %s: %s", e->text[COL_CLIENT],
             e->text[COL_CLIENT_PORT], e->text[COL_SERVER], e->text[COL_SERVER_PORT], e->text[COL_TRANSPORT],
             e->text[COL_APP], what, got);
}

static uint16_t port_of(const char *text)
{
    return (uint16_t)strtoul(text, NULL, 10);
}

/* Cuts 'e->line' at its tabs. */
static void split(struct expected *e)
{
    char *rest = e->line;
    char *word;
    size_t n = 0;

    e->line[strcspn(e->line, "\n")] = '\0';
    for (unsigned i = 0; i < N_COLUMNS; i++) {
        e->text[i] = strsep(&rest, "\t");
        ck_assert_msg(e->text[i] != NULL, "EXPECTED.tsv: a line of fewer than %d columns", N_COLUMNS);
    }
    memcpy(e->app, e->text[COL_APP], strlen(e->text[COL_APP]) + 1);
    rest = e->app;
    while ((word = strsep(&rest, " ")) != NULL && n < 2)
        if (classify_knows(word))
            e->names[n++] = word;
    ck_assert_int_eq(addr_parse(e->text[COL_CLIENT], &e->tuple.client), 0);
    ck_assert_int_eq(addr_parse(e->text[COL_SERVER], &e->tuple.server), 0);
    e->tuple.client_port = port_of(e->text[COL_CLIENT_PORT]);
    e->tuple.server_port = port_of(e->text[COL_SERVER_PORT]);
    e->tuple.transport = strcmp(e->text[COL_TRANSPORT], "tcp") == 0 ? IPPROTO_TCP : IPPROTO_UDP;
}

static void read_expected(struct bed *bed)
{
    FILE *in = fopen(TEST_SOURCE_ROOT "/samples/EXPECTED.tsv", "r");
    struct expected e = {0};

    ck_assert_ptr_nonnull(in);
    bed->expected = calloc(MAX_FLOWS, sizeof(*bed->expected));
    while (fgets(e.line, sizeof(e.line), in) != NULL) {
        size_t name = strlen(bed->file);
        if (strncmp(e.line, bed->file, name) != 0 || e.line[name] != '\t')
            continue;
        ck_assert_uint_lt(bed->n_expected, MAX_FLOWS);
        bed->expected[bed->n_expected] = e;
        split(&bed->expected[bed->n_expected++]);
    }
    fclose(in);
    ck_assert_uint_gt(bed->n_expected, 0);
}

/* The protocols that the file's table names, each once: as a matrix would. */
static void make_classifier(struct bed *bed)
{
    const char *names[64];
    size_t n = 0;

    for (size_t i = 0; i < bed->n_expected; i++)
        for (unsigned j = 0; bed->expected[i].names[j] != NULL; j++) {
            size_t k = 0;
            while (k < n && strcmp(names[k], bed->expected[i].names[j]) != 0)
                k++;
            ck_assert_uint_lt(k, sizeof(names) / sizeof(names[0]));
            names[k] = bed->expected[i].names[j];
            n = k == n ? n + 1 : n;
        }
    ck_assert_int_eq(classifier_new(names, n, &bed->classifier, NULL), 0);
}

static bool same_ends(const struct tuple *a, const struct tuple *b)
{
    return a->transport == b->transport && a->client_port == b->client_port && a->server_port == b->server_port &&
           addr_compare(&a->client, &b->client) == 0 && addr_compare(&a->server, &b->server) == 0;
}

static struct tuple turned(const struct tuple *t)
{
    return (struct tuple){t->server, t->client, t->server_port, t->client_port, t->transport};
}

/* The line for these ends, in whatever direction. */
static struct expected *find(struct bed *bed, const struct tuple *tuple)
{
    struct tuple back = turned(tuple);

    for (size_t i = 0; i < bed->n_expected; i++)
        if (same_ends(&bed->expected[i].tuple, tuple) || same_ends(&bed->expected[i].tuple, &back))
            return &bed->expected[i];
    return NULL;
}

static void judge_app(struct bed *bed, struct expected *e, const struct flow_record *record, const struct ext *ext)
{
    struct app app = {0};

    if (ext == NULL || ext->state == NULL || record->payload[0] + record->payload[1] == 0)
        return;
    classify_result(ext->state, &app);
    if (e->names[0] == NULL) {
        if (app.basis == APP_CONTENT)
            complain(bed, e, "opaque, but recognised as", app.name);
        return;
    }
    for (unsigned i = 0; e->names[i] != NULL; i++)
        if (classify_satisfies(&app, e->names[i]))
            return;
    complain(bed, e, "classified as", app.basis == APP_NONE ? "nothing" : app.name);
}

static void flow_ended(void *aux, struct flow_record *record, void *ext_arg)
{
    struct bed *bed = aux;
    struct ext *ext = ext_arg;
    struct expected *e = find(bed, &record->tuple);
    char number[32];

    ck_assert_msg(e != NULL, "%s: a flow from packet %llu on that the table does not have", bed->file,
                  (unsigned long long)record->first_packet);
    e->n_records++;
    if (!same_ends(&e->tuple, &record->tuple))
        complain(bed, e, "direction is the other way round, by", direction_basis_name(record->direction));
    bool one_way = strcmp(e->text[COL_OUTCOME], "one-way") == 0;
    const char *outcome = outcome_name(flow_record_outcome(record, one_way));
    if (strcmp(outcome, e->text[COL_OUTCOME]) != 0)
        complain(bed, e, "outcome", outcome);
    snprintf(number, sizeof(number), "%llu", (unsigned long long)(record->packets[0] + record->packets[1]));
    if (strcmp(number, e->text[COL_PACKETS]) != 0)
        complain(bed, e, "packets", number);
    if (record->first_packet != strtoull(e->text[COL_FIRST_PACKET], NULL, 10))
        complain(bed, e, "first packet", "is another");
    if ((record->duplicates > 0) != (strcmp(e->text[COL_INTENDED], "duplicates") == 0))
        complain(bed, e, "duplicates", record->duplicates > 0 ? "found" : "not found");
    judge_app(bed, e, record, ext);
    if (ext != NULL && ext->state != NULL)
        classify_end(bed->classifier, ext->state);
}

static struct ext *flow_state(struct bed *bed, struct flow *flow, const struct packet *packet)
{
    struct ext *ext = flow_ext(bed->table, flow);
    struct tuple tuple = {packet->src, packet->dst, packet->sport, packet->dport, packet->transport};

    ck_assert_ptr_nonnull(ext);
    if (!ext->looked_up) {
        ext->looked_up = true;
        ext->expected = find(bed, &tuple);
        ext->state = ext->expected != NULL ? classify_begin(bed->classifier) : NULL;
    }
    return ext;
}

static void show(struct bed *bed, const struct flow_step *step, const struct packet *packet)
{
    if (packet->payload_len == 0)
        return;
    struct ext *ext = flow_state(bed, step->flow, packet);
    if (ext->state == NULL || ext->final)
        return;
    struct classify_step about = {
        .expected = ext->expected->names[0] != NULL ? ext->expected->names : NULL,
        .midstream = strcmp(ext->expected->text[COL_INTENDED], "midstream") == 0,
    };
    struct classify_stats before, after;
    classify_stats(bed->classifier, &before);
    ext->final = classify_packet(bed->classifier, ext->state, packet, &about) == CLASSIFY_FINAL;
    classify_stats(bed->classifier, &after);
    if (ext->side_of_first == 0 && after.n_packets > before.n_packets)
        ext->side_of_first = 1 + (int)step->side;
    int direction = classify_direction(ext->state);
    if (direction != 0 && ext->side_of_first != 0) {
        unsigned first = (unsigned)ext->side_of_first - 1;
        flow_set_client(bed->table, step->flow, direction > 0 ? first : 1 - first);
    }
}

static void take(struct bed *bed, const struct frame *frame)
{
    struct packet packet;
    struct flow_step step;
    enum packet_result result = packet_decode(frame, &packet);

    if (result == PACKET_ICMP_ERROR) {
        flow_table_icmp_error(bed->table, &packet);
        return;
    }
    ck_assert_msg(result == PACKET_OK, "%s: packet %llu: %s", bed->file, (unsigned long long)frame->number,
                  packet_result_name(result));
    bed->last_ns = packet.ts_ns;
    flow_table_track(bed->table, flow_table_hash(bed->table, &packet), &packet, &step);
    ck_assert_ptr_nonnull(step.flow);
    show(bed, &step, &packet);
}

static void run(struct bed *bed)
{
    char path[256];
    struct err err;
    struct capture *capture;
    struct frame frames[64];
    int n;

    snprintf(path, sizeof(path), "%s/samples/%s", TEST_SOURCE_ROOT, bed->file);
    ck_assert_int_eq(capture_open_file(path, NULL, &capture, &err), 0);
    while ((n = capture_next_batch(capture, frames, sizeof(frames) / sizeof(frames[0]), &err)) > 0)
        for (int i = 0; i < n; i++)
            take(bed, &frames[i]);
    ck_assert_int_eq(n, 0);
    capture_free(capture);
    flow_table_drain(bed->table, bed->last_ns);
}

START_TEST(every_flow_as_meant)
{
    struct bed bed = {.file = files[_i]};
    struct flow_options options;
    struct err err;

    read_expected(&bed);
    flow_options_default(&options);
    options.ext_size = sizeof(struct ext);
    ck_assert_int_eq(flow_table_new(&options, flow_ended, &bed, &bed.table, &err), 0);
    make_classifier(&bed);
    run(&bed);
    for (size_t i = 0; i < bed.n_expected; i++)
        if (bed.expected[i].n_records != 1)
            complain(&bed, &bed.expected[i], "records", bed.expected[i].n_records == 0 ? "none" : "more than one");
    ck_assert_msg(bed.problems[0] == '\0', "%s:%s", bed.file, bed.problems);
    flow_table_free(bed.table);
    classifier_free(bed.classifier);
    free(bed.expected);
}
END_TEST

Suite *suite_samples(void);

Suite *suite_samples(void)
{
    Suite *s = suite_create("samples");
    TCase *tc = tcase_create("flows");

    tcase_set_timeout(tc, 60);
    tcase_add_loop_test(tc, every_flow_as_meant, 0, (int)(sizeof(files) / sizeof(files[0])));
    suite_add_tcase(s, tc);
    return s;
}
