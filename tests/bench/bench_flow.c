/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The flow table's cost for each packet, in batches of 64 as the engine calls it.  Measures, and judges nothing.
 *
 *     bench_flow [FLOWS [PACKETS]]   flows with as many packets as chance gives them, then flows of one packet
 *     bench_flow pairs [FLOWS]       of two, all at once: a question, and an answer when all have asked; then of two questions
 */
#include <inttypes.h>
#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <time.h>

#include "flowaudit/flow.h"

#define BATCH 64
#define ROUND (16 * BATCH) /* packets between two looks at the clock, which is slow */

static void ignore(void *aux, struct flow_record *record, void *ext)
{
    (void)ext;
    *(uint64_t *)aux += record->packets[0] + record->packets[1];
}

static double cpu_ns(void)
{
    struct timespec ts;

    clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &ts);
    return (double)ts.tv_sec * 1e9 + (double)ts.tv_nsec;
}

/* Packet 'number' of flow 'n': flows of UDP and TCP, from the client and from the server in turns. */
static void make_packet(struct packet *p, uint64_t number, uint64_t n, bool from_server)
{
    uint8_t client[4] = {10, (uint8_t)(n >> 24), (uint8_t)(n >> 16), (uint8_t)(n >> 8)};
    uint8_t server[4] = {192, 168, 0, (uint8_t)n};

    memset(p, 0, sizeof(*p));
    p->src = addr_from_ipv4(from_server ? server : client);
    p->dst = addr_from_ipv4(from_server ? client : server);
    p->sport = from_server ? 5060 : (uint16_t)(1024 + n % 60000);
    p->dport = from_server ? (uint16_t)(1024 + n % 60000) : 5060;
    p->transport = n % 2 == 0 ? IPPROTO_UDP : IPPROTO_TCP;
    p->tcp_flags = p->transport == IPPROTO_TCP ? TCP_ACK : 0;
    p->tcp_seq = (uint32_t)(number / 2 * 160);
    p->ip_id = (uint16_t)number;
    p->ttl = 64;
    p->payload_wire_len = 160;
    p->wire_len = 214;
    p->ts_ns = (int64_t)number * 1000;
    p->number = number;
}

static void track_batch(struct flow_table *table, const struct packet *batch)
{
    uint64_t         hashes[BATCH];
    struct flow_step step;

    for (unsigned i = 0; i < BATCH; i++) {
        hashes[i] = flow_table_hash(table, &batch[i]);
        flow_table_prefetch(table, hashes[i]);
    }
    for (unsigned i = 0; i < BATCH; i++)
        hashes[i] = flow_table_prefetch_flow(table, hashes[i]);
    for (unsigned i = 0; i < BATCH; i++)
        flow_table_prefetch_detail(table, hashes[i]);
    for (unsigned i = 0; i < BATCH; i++)
        flow_table_track(table, hashes[i], &batch[i], &step);
}

enum load { KNOWN, SCAN, ANSWERED, REPEATED };
static const char *const names[] = {"known", "scan", "answered", "repeated"};

static void make_load(struct packet *p, enum load load, uint64_t at, uint64_t n_flows)
{
    uint64_t n = load == KNOWN ? (at * UINT64_C(2654435761) >> 7) % n_flows : at;
    bool     again = (load == ANSWERED || load == REPEATED) && at > n_flows;

    n -= again ? n_flows : 0;
    make_packet(p, at, n, load == ANSWERED ? again : load == KNOWN && at % 2 == 0);
}

static double track_all(struct flow_table *table, struct packet *packets, uint64_t n_packets, uint64_t n_flows,
                        enum load load)
{
    double spent = 0;

    for (uint64_t number = 1; number <= n_packets; number += ROUND) {
        for (unsigned i = 0; i < ROUND; i++)
            make_load(&packets[i], load, number + i, n_flows);
        double start = cpu_ns();
        for (unsigned i = 0; i < ROUND; i += BATCH)
            track_batch(table, &packets[i]);
        spent += cpu_ns() - start;
    }
    return spent;
}

static int run(uint64_t n_flows, uint64_t n_packets, enum load load)
{
    static struct packet    packets[ROUND];
    struct flow_options     o;
    struct flow_table      *table;
    struct flow_table_stats stats;
    struct err              err;
    struct rusage           usage;
    uint64_t                counted = 0;

    flow_options_default(&o);
    o.memory_limit = 0;
    if (flow_table_new(&o, ignore, &counted, &table, &err) != 0) {
        fprintf(stderr, "bench_flow: %s\n", err.msg);
        return 1;
    }
    double spent = track_all(table, packets, n_packets, n_flows, load);
    flow_table_stats(table, &stats);
    double start = cpu_ns();
    flow_table_drain(table, INT64_MAX);
    double drained = cpu_ns() - start;
    getrusage(RUSAGE_SELF, &usage);
    printf("%-8s %9" PRIu64 " flows %10" PRIu64 " packets: %6.1f ns/packet, drain %6.1f ns/flow, "
           "table %zu MiB, peak RSS %ld MiB\n",
           names[load], stats.n_peak, counted, spent / (double)counted, drained / (double)stats.n_peak,
           stats.memory_peak >> 20, usage.ru_maxrss >> 10);
    flow_table_free(table);
    return 0;
}

int main(int argc, char **argv)
{
    bool     pairs = argc > 1 && strcmp(argv[1], "pairs") == 0;
    int      at = pairs ? 2 : 1;
    uint64_t n_flows = argc > at ? strtoull(argv[at], NULL, 10) : 10000;
    uint64_t n_packets = argc > at + 1 ? strtoull(argv[at + 1], NULL, 10) : 4000000;

    if (n_flows < ROUND || n_packets < ROUND) {
        fputs("usage: bench_flow [FLOWS [PACKETS]] | pairs [FLOWS]\n", stderr);
        return 2;
    }
    if (pairs) {
        n_flows = (n_flows + ROUND - 1) / ROUND * ROUND;
        return run(n_flows, 2 * n_flows, ANSWERED) != 0 || run(n_flows, 2 * n_flows, REPEATED) != 0;
    }
    return run(n_flows, n_packets, KNOWN) != 0 || run(n_flows, n_flows, SCAN) != 0;
}
