/* SPDX-License-Identifier: Apache-2.0 */
#include "check_stats.h"

#include <sys/resource.h>
#include <time.h>

int64_t stats_clock(void)
{
    struct timespec t;

    clock_gettime(CLOCK_MONOTONIC, &t);
    return (int64_t)t.tv_sec * 1000000000 + t.tv_nsec;
}

static double seconds(int64_t ns)
{
    return (double)ns / 1e9;
}

static void print_stage(FILE *out, const char *name, int64_t ns, int64_t all, uint64_t packets)
{
    fprintf(out, "  %-10s %9.3f s %5.1f %% %9.1f ns per packet\n", name, seconds(ns), all > 0 ? 100.0 * (double)ns / (double)all : 0.0,
            packets > 0 ? (double)ns / (double)packets : 0.0);
}

static void print_times(FILE *out, const struct check_times *t, const struct engine_result *r)
{
    const struct engine_stats *s = &r->stats;
    struct rusage              usage;
    int64_t                    rules = t->loaded - t->begun, report = t->reported - t->recorded;
    int64_t                    other = t->recorded - t->loaded - t->storing - s->elapsed_ns, all = rules + t->storing + report + other;

    getrusage(RUSAGE_SELF, &usage);
    for (unsigned i = 0; i < ENGINE_N_STAGES; i++)
        all += s->ns[i];
    fprintf(out, "%llu packets in %.3f s, %u %s: %.3f s of CPU as the user, %.3f s in the kernel; at most %ld MiB of memory\n",
            (unsigned long long)r->packets, seconds(t->reported - t->begun), s->n_workers, s->n_workers == 1 ? "worker" : "workers",
            (double)usage.ru_utime.tv_sec + (double)usage.ru_utime.tv_usec / 1e6,
            (double)usage.ru_stime.tv_sec + (double)usage.ru_stime.tv_usec / 1e6, usage.ru_maxrss / 1024);
    fprintf(out, "time, of all workers together:\n");
    print_stage(out, "rules", rules, all, r->packets);
    for (unsigned i = 0; i < ENGINE_N_STAGES; i++)
        print_stage(out, engine_stage_name((enum engine_stage)i), s->ns[i] + (i == ENGINE_RECORD ? t->storing : 0), all, r->packets);
    print_stage(out, "report", report, all, r->packets);
    print_stage(out, "other", other, all, r->packets);
}

static void print_number(FILE *out, const char *what, uint64_t n)
{
    fprintf(out, "  %-44s %14llu\n", what, (unsigned long long)n);
}

void stats_print(FILE *out, const struct check_times *t, const struct engine_result *r, const struct rulebook *book)
{
    const struct engine_stats *s = &r->stats;

    print_times(out, t, r);
    fprintf(out, "tables:\n");
    print_number(out, "rows of the matrix in force", policy_n_rows(book->policy));
    print_number(out, "hosts of the site", policy_n_hosts(book->policy));
    print_number(out, "flows", s->flows.n_created);
    print_number(out, "flows at once, at most", s->flows.n_peak);
    print_number(out, "flows evicted", s->flows.n_evicted);
    print_number(out, "MiB for flows, at most", s->flows.memory_peak >> 20);
    print_number(out, "later fragments", s->flows.n_fragments);
    print_number(out, "payloads shown to the classifier", s->n_classify_packets);
    print_number(out, "payloads that libndpi saw", s->n_ndpi_packets);
    print_number(out, "payloads that it saw with all its protocols", s->n_second_opinions);
    print_number(out, "flows in classification at once, at most", s->n_classify_peak);
    print_number(out, "connections followed for ports, at most", s->n_signalling_peak);
    print_number(out, "ports negotiated", s->n_announced);
    print_number(out, "conversations", s->n_conversations);
    print_number(out, "hosts seen", s->n_hosts);
    print_number(out, "expectations", s->n_expectations);
    print_number(out, "findings", s->n_findings);
}
