/* SPDX-License-Identifier: Apache-2.0 */
/* One finding of many windows: in how many of them a required flow was missing or failed, and what was seen in the first. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

#include "expect-private.h"

#define SUM_SIZE (EXPECT_REASON_SIZE + 384)

void expectations_free(struct expectation *all, size_t n)
{
    for (size_t i = 0; all != NULL && i < n; i++)
        free((char *)(uintptr_t)all[i].reason);
    free(all);
}

/* A result among those of other windows. */
struct ranked {
    const struct expectation *e;
    uint32_t                  server; /* with 'every', else POLICY_NONE */
};

static int compare_group(const struct ranked *a, const struct ranked *b)
{
    if (a->e->row != b->e->row)
        return a->e->row < b->e->row ? -1 : 1;
    if (a->e->client_host != b->e->client_host)
        return a->e->client_host < b->e->client_host ? -1 : 1;
    return a->server < b->server ? -1 : a->server > b->server;
}

static int by_group(const void *pa, const void *pb)
{
    const struct ranked *a = pa, *b = pb;
    int                  c = compare_group(a, b);

    if (c != 0)
        return c;
    return a->e->window_start_ns < b->e->window_start_ns ? -1 : a->e->window_start_ns > b->e->window_start_ns;
}

/* What the windows of one group have in common. */
enum { SUM_MISSING, SUM_FAILED, SUM_SEEN, SUM_OPEN, N_SUMS };

static unsigned sum_of(enum expectation_outcome outcome)
{
    switch (outcome) {
    case EXPECT_SEEN:
        return SUM_SEEN;
    case EXPECT_REFUSED:
    case EXPECT_PROHIBITED:
    case EXPECT_UNANSWERED:
        return SUM_FAILED;
    case EXPECT_NEVER_ATTEMPTED:
        return SUM_MISSING;
    default:
        return SUM_OPEN;
    }
}

const char *expect_duration_text(int64_t ns, char *buf, size_t size)
{
    static const struct {
        int64_t     seconds;
        const char *unit;
    } units[] = {{86400, "d"}, {3600, "h"}, {60, "min"}, {1, "s"}};
    int64_t s = ns / 1000000000;

    for (size_t i = 0; i < sizeof(units) / sizeof(units[0]); i++)
        if (s % units[i].seconds == 0) {
            snprintf(buf, size, "%lld %s", (long long)(s / units[i].seconds), units[i].unit);
            break;
        }
    return buf;
}

const char *expect_time_text(int64_t ns, int64_t near, char *buf, size_t size)
{
    time_t    s = (time_t)(ns / 1000000000), near_s = (time_t)(near / 1000000000);
    struct tm tm, near_tm;

    if (gmtime_r(&s, &tm) == NULL || gmtime_r(&near_s, &near_tm) == NULL)
        return "?";
    bool same = near != 0 && tm.tm_year == near_tm.tm_year && tm.tm_yday == near_tm.tm_yday;
    size_t len = same ? 0 : strftime(buf, size, "%Y-%m-%d ", &tm);
    return strftime(buf + len, size - len, tm.tm_sec != 0 ? "%H:%M:%S" : "%H:%M", &tm) > 0 ? buf : "?";
}

static void add_count(char *buf, size_t size, uint64_t n, const char *what)
{
    size_t len = strlen(buf);

    if (n > 0)
        snprintf(buf + len, size - len, "%s%llu %s", len == 0 ? " Of the other windows " : ", ", (unsigned long long)n, what);
}

/* It runs later, and in no window before: so it is set up, and the first window's advice is not good. */
static void add_reason(char *buf, size_t size, const struct expectation *first, const struct expectation *seen)
{
    size_t len = strlen(buf);
    char   at[EXPECT_TIME_SIZE], within[32];

    if (first->advice_at == 0 || seen == NULL || seen->seen_ns < first->window_end_ns)
        snprintf(buf + len, size - len, "%s", first->reason);
    else
        snprintf(buf + len, size - len, "%.*s It was seen from %s UTC on, %lld s after this window. Look at whether it happens as often as once in %s ('within'), and what began "
                 "it; where it need not be seen, say so in the site file.", (int)first->advice_at, first->reason, expect_time_text(seen->seen_ns, 0, at, sizeof(at)),
                 (long long)((seen->seen_ns - first->window_end_ns) / 1000000000), expect_duration_text(first->within_ns, within, sizeof(within)));
}

static char *sum_sentence(const struct expectation *first, const struct expectation *seen, const uint64_t n[static N_SUMS], uint64_t n_these, uint64_t n_all)
{
    char buf[SUM_SIZE], within[32], why[64] = "", length[32], start[EXPECT_TIME_SIZE], end[EXPECT_TIME_SIZE], others[128] = "";

    if (n_all == 1) /* its time is the run's */
        return strdup(first->reason);
    add_count(others, sizeof(others), n[SUM_SEEN], n[SUM_SEEN] == 1 ? "shows the flow" : "show the flow");
    add_count(others, sizeof(others), n_all - n_these - n[SUM_SEEN] - n[SUM_OPEN], first->outcome == EXPECT_NEVER_ATTEMPTED ? "failed" : "had no attempt");
    add_count(others, sizeof(others), n[SUM_OPEN], n[SUM_OPEN] == 1 ? "proves nothing" : "prove nothing");
    if (first->within_ns > 0 && first->within_ns != first->window_end_ns - first->window_start_ns)
        snprintf(why, sizeof(why), " ('within' is %s)", expect_duration_text(first->within_ns, within, sizeof(within)));
    snprintf(buf, sizeof(buf), "In %llu of %llu windows of %s%s, first %s to %s UTC: ", (unsigned long long)n_these,
             (unsigned long long)n_all, expect_duration_text(first->window_end_ns - first->window_start_ns, length, sizeof(length)),
             why,
             expect_time_text(first->window_start_ns, 0, start, sizeof(start)),
             expect_time_text(first->window_end_ns, first->window_start_ns, end, sizeof(end)));
    add_reason(buf, sizeof(buf), first, seen);
    if (others[0] != '\0')
        snprintf(buf + strlen(buf), sizeof(buf) - strlen(buf), "%s.", others);
    return strdup(buf);
}

const char *policy_expectation_servers(const struct policy *p, const struct expectation *e, char *buf, size_t size)
{
    const struct applied_row *row = &p->rows[e->row];
    uint32_t                  named[2];
    uint64_t                  n = 0;

    if (row->every || (e->server_host != POLICY_NONE && !e->tried_others))
        return NULL;
    for (uint32_t s = 0; s < p->site->n_hosts; s++) {
        if (s == e->client_host || !sets_meet(&host_group(p, s)->roles, &row->to))
            continue;
        if (n < 2)
            named[n] = s;
        n++;
    }
    if (n < 2)
        return NULL;
    int len = snprintf(buf, size, "%s (%s) or ", policy_host_name(p, named[0]), policy_host_address(p, named[0]));
    if (len > 0 && (size_t)len < size && n == 2)
        snprintf(buf + len, size - (size_t)len, "%s (%s)", policy_host_name(p, named[1]), policy_host_address(p, named[1]));
    else if (len > 0 && (size_t)len < size)
        snprintf(buf + len, size - (size_t)len, "%llu more", (unsigned long long)n - 1);
    return buf;
}

static int sum_group(const struct ranked *group, size_t n_group, struct expectation *ret, size_t *at)
{
    const struct expectation *first[N_SUMS] = {NULL};
    uint64_t                  n[N_SUMS] = {0}, attempts = 0;
    int64_t                   last_ns = 0;
    bool                      weak[N_SUMS] = {true, true, true, true};

    for (size_t i = 0; i < n_group; i++) {
        unsigned k = sum_of(group[i].e->outcome);

        first[k] = first[k] != NULL ? first[k] : group[i].e;
        n[k]++;
        attempts += k == SUM_FAILED ? group[i].e->attempts : 0;
        last_ns = k == SUM_FAILED && group[i].e->last_ns > last_ns ? group[i].e->last_ns : last_ns;
        weak[k] &= group[i].e->weak;
    }
    for (unsigned k = SUM_MISSING; k <= SUM_FAILED; k++) {
        if (n[k] == 0)
            continue;
        ret[*at] = *first[k];
        ret[*at].attempts = k == SUM_FAILED ? attempts : 0;
        ret[*at].last_ns = k == SUM_FAILED ? last_ns : 0;
        ret[*at].weak = weak[k];
        ret[*at].reason = sum_sentence(first[k], first[SUM_SEEN], n, n[k], n_group);
        if (ret[(*at)++].reason == NULL)
            return -ENOMEM;
    }
    return 0;
}

int expectations_sum_up(const struct policy *p, const struct expectation *all, size_t n, struct expectation **ret, size_t *ret_n)
{
    struct ranked      *ranked = calloc(n + 1, sizeof(*ranked));
    struct expectation *sums = calloc(n + 1, sizeof(*sums));
    size_t              n_sums = 0;
    int                 rc = ranked == NULL || sums == NULL ? -ENOMEM : 0;

    for (size_t i = 0; rc == 0 && i < n; i++)
        ranked[i] = (struct ranked){&all[i], p->rows[all[i].row].every ? all[i].server_host : POLICY_NONE};
    if (rc == 0 && n > 1)
        qsort(ranked, n, sizeof(*ranked), by_group);
    for (size_t begin = 0, end; rc == 0 && begin < n; begin = end) {
        for (end = begin + 1; end < n && compare_group(&ranked[begin], &ranked[end]) == 0; end++)
            ;
        rc = sum_group(ranked + begin, end - begin, sums, &n_sums);
    }
    free(ranked);
    if (rc != 0) {
        expectations_free(sums, n_sums);
        return rc;
    }
    *ret = sums;
    *ret_n = n_sums;
    return 0;
}
