/* SPDX-License-Identifier: Apache-2.0 */
/* Every capture of the corpus beside the sources: our reader against libpcap's, frame by frame, as far as libpcap goes.
 */
#include <dirent.h>
#include <errno.h>
#include <pcap/pcap.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "capture_support.h"

#define CORPUS    TEST_SOURCE_ROOT "/../shared/captures"
#define PATH_SIZE 1024

static char *read_text(const char *path)
{
    FILE *f = fopen(path, "r");
    char *text = NULL;
    size_t size = 0;

    if (f == NULL)
        return NULL;
    ssize_t n = getdelim(&text, &size, '\0', f);
    fclose(f);
    if (n < 0) {
        free(text);
        return NULL;
    }
    return text;
}

/* The number behind the first "key": in 'text', or 'otherwise'. */
static double number_of(const char *text, const char *key, double otherwise)
{
    char quoted[64];
    char *end;
    const char *at;

    snprintf(quoted, sizeof(quoted), "\"%s\": ", key);
    at = strstr(text, quoted);
    if (at == NULL)
        return otherwise;
    double v = strtod(at + strlen(quoted), &end);
    return end != at + strlen(quoted) ? v : otherwise;
}

/* libpcap hands sub-seconds on as they are, gives packets without a time the year 1970, and lets times past 2106
 * overflow: where we counted odd times, such packets are left out. */
static bool has_usable_time(const struct pcap_pkthdr *h, const struct seen *s)
{
    bool sound = h->ts.tv_usec >= 0 && h->ts.tv_usec < 1000000000 && h->ts.tv_sec != 0 && h->ts.tv_sec <= UINT32_MAX;

    return sound || s->stats.n_odd_times == 0;
}

/* The frames that libpcap gives are ours, one by one. */
static size_t compare_with_libpcap(const char *path, const struct seen *s)
{
    char why[PCAP_ERRBUF_SIZE], name[128];
    struct pcap_pkthdr *header;
    const u_char *data;
    size_t n = 0;
    pcap_t *p = pcap_open_offline_with_tstamp_precision(path, PCAP_TSTAMP_PRECISION_NANO, why);

    if (p == NULL)
        return 0;
    const char *dlt_name = pcap_datalink_val_to_name(pcap_datalink(p));
    capture_linktype_name(s->stats.linktypes[0], name, sizeof(name));
    if (dlt_name != NULL)
        ck_assert_msg(strncmp(name, dlt_name, strlen(dlt_name)) == 0, "%s: %s, not %s", path, name, dlt_name);
    for (; pcap_next_ex(p, &header, &data) == 1; n++) {
        ck_assert_msg(n < s->n_frames, "%s: libpcap reads more than %zu packets", path, s->n_frames);
        const struct frame *f = &s->frames[n];
        ck_assert_msg(f->caplen == header->caplen, "%s: packet %zu", path, n + 1);
        ck_assert_msg(f->wirelen == (header->len > header->caplen ? header->len : header->caplen), "%s: packet %zu",
                      path, n + 1);
        ck_assert_msg(s->hashes[n] == hash_of(data, header->caplen), "%s: bytes of packet %zu", path, n + 1);
        if (has_usable_time(header, s))
            ck_assert_msg(f->ts_ns == (uint32_t)header->ts.tv_sec * INT64_C(1000000000) + header->ts.tv_usec,
                          "%s: time of packet %zu", path, n + 1);
    }
    pcap_close(p);
    return n;
}

static void compare_with_truth(const char *path, const char *truth, const struct seen *s)
{
    const char *container = strstr(truth, "\"container\"");

    ck_assert_ptr_nonnull(container);
    ck_assert_msg((double)s->n_frames == number_of(container, "records", -1), "%s: %zu packets", path, s->n_frames);
    ck_assert_msg((double)s->stats.n_odd_lengths == number_of(container, "caplen_gt_len", 0), "%s", path);
    if (s->stats.n_odd_times == 0)
        ck_assert_msg((double)s->stats.n_time_back ==
                          number_of(container, "timestamps_backwards", (double)s->stats.n_time_back),
                      "%s: %llu steps back in time", path, (unsigned long long)s->stats.n_time_back);
    ck_assert_msg(s->stats.damaged == (number_of(container, "truncated_tail_bytes", 0) > 0), "%s: %s", path,
                  s->stats.damage);
    double odd = number_of(container, "subsecond_field_out_of_range", -1);
    if (odd >= 0) /* and those without a time */
        ck_assert_msg((double)s->stats.n_odd_times >= odd, "%s: %llu odd times", path,
                      (unsigned long long)s->stats.n_odd_times);
    double first = number_of(truth, "first_ts", -1);
    if (first > 0 && s->stats.n_odd_times == 0) {
        ck_assert_msg(first - (double)s->stats.first_ns / 1e9 < 1e-5 && (double)s->stats.first_ns / 1e9 - first < 1e-5,
                      "%s", path);
        double last = number_of(truth, "last_ts", -1);
        ck_assert_msg(last - (double)s->stats.last_ns / 1e9 < 1e-5 && (double)s->stats.last_ns / 1e9 - last < 1e-5,
                      "%s", path);
    }
    const char *sha256 = strstr(truth, "\"sha256\": \"");
    ck_assert_ptr_nonnull(sha256);
    ck_assert_msg(strncmp(sha256 + strlen("\"sha256\": \""), s->stats.sha256, 64) == 0, "%s: sha256", path);
}

static void check_one(const char *name)
{
    static const size_t block_sizes[] = {0, 100};
    char path[PATH_SIZE], truth_path[PATH_SIZE];

    snprintf(path, sizeof(path), "%s/%s", CORPUS, name);
    snprintf(truth_path, sizeof(truth_path), "%s/truth/%s.json", CORPUS, name);
    char *truth = read_text(truth_path);
    if (truth == NULL)
        return;
    for (size_t i = 0; i < sizeof(block_sizes) / sizeof(block_sizes[0]); i++) {
        const struct capture_options options = {.block_size = block_sizes[i]};
        struct seen s = read_path(path, &options);

        if (s.rc == 0) {
            compare_with_truth(path, truth, &s);
            compare_with_libpcap(path, &s);
        } else {
            /* What we refuse, libpcap refuses: there is no such file that it reads. */
            ck_assert_msg(s.rc == -ENOTSUP || s.rc == -EBADMSG, "%s: %s", path, s.err.msg);
            ck_assert_msg(strstr(truth, "\"opens\": false") != NULL, "%s: %s", path, s.err.msg);
        }
        seen_clear(&s);
    }
    free(truth);
}

START_TEST(every_capture_is_read_as_libpcap_and_the_truth_have_it)
{
    DIR *dir = opendir(CORPUS);
    struct dirent *entry;
    size_t n = 0;

    if (dir == NULL) {
        fprintf(stderr, "skipped: no corpus at %s\n", CORPUS);
        return;
    }
    while ((entry = readdir(dir)) != NULL) {
        if (entry->d_name[0] == '.' || strstr(entry->d_name, "--") == NULL)
            continue;
        check_one(entry->d_name);
        n++;
    }
    closedir(dir);
    ck_assert_uint_gt(n, 0);
}
END_TEST

Suite *suite_capture_corpus(void);
Suite *suite_capture_corpus(void)
{
    Suite *s = suite_create("capture_corpus");
    TCase *t = tcase_create("corpus");

    tcase_set_timeout(t, 120);
    tcase_add_test(t, every_capture_is_read_as_libpcap_and_the_truth_have_it);
    suite_add_tcase(s, t);
    return s;
}
