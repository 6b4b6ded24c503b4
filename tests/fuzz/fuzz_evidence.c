/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Packets as evidence.  Input: what is wanted (eight bytes), then a capture file.  It is carved, and what was written is read again: so many
 * packets, each of them whole; the same again gives the same bytes.  Then its packets go through the keeper of a live run.
 */
#include "fuzz.h"

#include <dirent.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "flowaudit/evidence.h"
#include "flowaudit/keeper.h"

static char folder[64]; /* of the keeper */

static void leave(void)
{
    DIR *dir = opendir(folder);

    for (struct dirent *e; dir != NULL && (e = readdir(dir)) != NULL;)
        if (e->d_name[0] != '.')
            unlinkat(dirfd(dir), e->d_name, 0);
    if (dir != NULL)
        closedir(dir);
    rmdir(folder);
}

static struct addr_range all_addresses(void)
{
    struct addr_range range;

    fuzz_must(addr_range_parse("::/0", &range) == 0);
    return range;
}

/* Whatever has these ports; or all of it. */
static struct evidence_selector select_by(const uint8_t want[static 8])
{
    struct evidence_selector s = {.client = all_addresses(), .server = all_addresses(), .client_port_high = UINT16_MAX, .server_port_high = UINT16_MAX,
                                  .first_ns = INT64_MIN, .last_ns = INT64_MAX};

    s.transport = want[0] & 1 ? IPPROTO_TCP : want[0] & 2 ? IPPROTO_UDP : 0;
    if (want[0] & 4)
        s.server_port_low = s.server_port_high = (uint16_t)(want[1] << 8 | want[2]);
    if (want[0] & 8)
        s.client_port_low = (uint16_t)(want[3] << 8 | want[4]);
    if (want[0] & 16)
        s.first_ns = (int64_t)want[5] << 52;
    return s;
}

/* Packets of a file that we wrote: it has no fault. */
static uint64_t count_packets(const char *path)
{
    struct capture      *c;
    struct frame         frames[32];
    struct capture_stats stats;
    uint64_t             n = 0;
    int                  got;

    fuzz_must(capture_open_file(path, &(struct capture_options){0}, &c, NULL) == 0);
    while ((got = capture_next_batch(c, frames, 32, NULL)) > 0)
        n += (uint64_t)got;
    capture_stats(c, &stats);
    fuzz_must(got == 0 && !stats.damaged);
    capture_free(c);
    return n;
}

static void carve(const char *path, size_t size, const uint8_t want[static 8])
{
    struct evidence_selector wanted = select_by(want), others = select_by((const uint8_t[8]){7, 0, 80});
    struct evidence_input    input = {.name = "in", .path = path, .sha256 = "", .bytes = size};
    char                     out[2][64], digests[2][DIGEST_TEXT_SIZE];
    struct evidence_request  request = {.inputs = &input, .n_inputs = 1, .pick = {&wanted, &others, 1, want[0] & 32 ? 1 : 0}, .application = "fuzz", .comment = "c",
                                        .beside = "/dev/shm", .filter = want[0] & 64 ? "ip" : NULL, .finding = "1"};

    for (unsigned i = 0; i < 2; i++) {
        struct evidence_result result = {0};
        struct err             err = {0};

        snprintf(out[i], sizeof(out[i]), "/dev/shm/flowaudit-fuzz-%d-%u.pcapng", (int)getpid(), i);
        request.out = out[i];
        if (evidence_carve(&request, &result, &err) != 0) {
            fuzz_must(i == 0 && err.msg[0] != '\0' && access(out[i], F_OK) != 0);
            return;
        }
        int fd = open(out[i], O_RDONLY | O_CLOEXEC);
        fuzz_must(fd >= 0 && result.n_packets > 0 && count_packets(out[i]) == result.n_packets && digest_file(fd, digests[i], NULL) == 0);
        close(fd);
    }
    fuzz_must(strcmp(digests[0], digests[1]) == 0);
    unlink(out[0]);
    unlink(out[1]);
}

/* One for the life of the process: its buffers are large. */
static struct keeper *the_keeper(void)
{
    static struct keeper *keeper;
    static const char    *inputs[] = {"eth0", "eth1"};
    struct keeper_options o = {.folder = folder, .max_bytes = KEEPER_LEAST_BYTES, .application = "fuzz", .inputs = inputs, .n_inputs = 2, .n_sources = 1};

    if (keeper == NULL) {
        snprintf(folder, sizeof(folder), "/dev/shm/flowaudit-fuzz-%d.d", (int)getpid());
        fuzz_must(mkdir(folder, 0700) == 0 && keeper_new(&o, &keeper, NULL) == 0);
        atexit(leave);
    }
    return keeper;
}

/* At least one conversation is wanted: that of the first packet, or any. */
static uint64_t offer(struct keeper *k, uint32_t run, const char *path, const uint8_t want[static 8])
{
    struct capture *c;
    struct frame    frames[32];
    uint64_t        n = 0;
    int             got;

    if (capture_open_file(path, &(struct capture_options){.no_digest = true}, &c, NULL) != 0)
        return 0;
    while ((got = capture_next_batch(c, frames, 32, NULL)) > 0) {
        for (int i = 0; i < got; i++) {
            struct packet      p;
            enum packet_result result = packet_decode(&frames[i], &p);

            if (result != PACKET_OK && result != PACKET_ICMP_ERROR && result != PACKET_FRAGMENT)
                continue;
            p.input = want[6] & 1;
            keeper_offer(k, 0, run, &frames[i], &p, result);
            if (n++ % 4 == 0)
                keeper_want(k, &(struct keeper_want){p.src, p.dst, want[6] & 2 ? 0 : p.dport, want[6] & 4 ? 0 : p.transport, want[6] & 8 ? p.ts_ns : 0});
        }
        keeper_take(k);
        if (want[6] & 16)
            keeper_write(k, run, NULL);
    }
    capture_free(c);
    return n;
}

static void keep(const char *path, const uint8_t want[static 8])
{
    static uint32_t     run;
    struct keeper      *k = the_keeper();
    struct keeper_stats before, after;
    struct keeper_file  file;
    uint64_t            n_in_files = 0;

    keeper_stats(k, &before);
    uint64_t n = offer(k, ++run, path, want);
    keeper_take(k);
    fuzz_must(keeper_write(k, run, NULL) >= 0);
    while (keeper_end_file(k, true, &file, NULL) == 1) {
        fuzz_must(count_packets(file.path) == file.packets && file.first_ns <= file.last_ns);
        n_in_files += file.packets;
    }
    keeper_forget(k);
    keeper_stats(k, &after);
    fuzz_must(after.n_written - before.n_written == n_in_files && after.n_offered - before.n_offered == n);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    uint8_t want[8];
    char    path[64];

    if (size < sizeof(want))
        return 0;
    memcpy(want, data, sizeof(want));
    int fd = fuzz_file(data + sizeof(want), size - sizeof(want), path);
    carve(path, size - sizeof(want), want);
    if (want[7] & 1)
        keep(path, want);
    close(fd);
    return 0;
}
