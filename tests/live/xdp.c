/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Sends batches of packets out of an interface from within the kernel, as XDP frames: a small program, run once for
 * each packet of a batch (BPF_PROG_TEST_RUN with live frames), takes the next packet of a map that is shared with this
 * process, and hands it to the interface. What a socket costs for each packet (a message, its copy, a soft interrupt)
 * is paid once for 64.
 *
 * The other end of a pair takes such frames only where it polls: where GRO is on for it.
 */
#include "xdp.h"

#include <errno.h>
#include <linux/bpf.h>
#include <net/if.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <unistd.h>

#define AT_ONCE 64 /* packets on their way to the other end, which has room for 256 */

struct slot { uint32_t len; uint8_t data[XDP_MOST]; uint8_t pad[4]; };

struct xdp_sender {
    struct slot *slots;
    uint32_t    *next; /* the slot of the next packet */
    int          program;
    uint8_t      blank[XDP_MOST]; /* what each frame is before the program fills it */
};

static int bpf(int what, union bpf_attr *attr)
{
    return (int)syscall(SYS_bpf, what, attr, sizeof(*attr));
}

static void die(const char *what)
{
    fprintf(stderr, "live_send: %s: %s\n", what, strerror(errno));
    exit(2);
}

static void *shared_map(uint32_t n, uint32_t size, int *ret_fd)
{
    union bpf_attr a = {.map_type = BPF_MAP_TYPE_ARRAY, .key_size = 4, .value_size = size, .max_entries = n, .map_flags = BPF_F_MMAPABLE};
    int            fd = bpf(BPF_MAP_CREATE, &a);
    void          *p = fd < 0 ? MAP_FAILED : mmap(NULL, (size_t)n * size, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);

    if (p == MAP_FAILED)
        die("a map of packets");
    *ret_fd = fd;
    return p;
}

#define OP(c, d, s, o, i) {.code = (c), .dst_reg = (d), .src_reg = (s), .off = (o), .imm = (i)}
#define MOVE(d, s)        OP(BPF_ALU64 | BPF_MOV | BPF_X, d, s, 0, 0)
#define SET(d, i)         OP(BPF_ALU64 | BPF_MOV | BPF_K, d, 0, 0, i)
#define ADD(d, i)         OP(BPF_ALU64 | BPF_ADD | BPF_K, d, 0, 0, i)
#define LOAD(d, s, o)     OP(BPF_LDX | BPF_W | BPF_MEM, d, s, o, 0)
#define STORE(d, o, s)    OP(BPF_STX | BPF_W | BPF_MEM, d, s, o, 0)
#define MAP(d, fd)        OP(BPF_LD | BPF_DW | BPF_IMM, d, BPF_PSEUDO_MAP_FD, 0, fd), OP(0, 0, 0, 0, 0)
#define CALL(f)           OP(BPF_JMP | BPF_CALL, 0, 0, 0, f)
#define IF_0(d, o)        OP(BPF_JMP | BPF_JEQ | BPF_K, d, 0, o, 0)
#define IF_NOT_0(d, o)    OP(BPF_JMP | BPF_JNE | BPF_K, d, 0, o, 0)
#define IF_ABOVE(d, i, o) OP(BPF_JMP | BPF_JGT | BPF_K, d, 0, o, i)
#define RETURN            OP(BPF_JMP | BPF_EXIT, 0, 0, 0, 0)

/* r6: the frame, r7: the slot, r8: its length. */
static int load_program(int next, int slots, int ifindex)
{
    static char       log[16384];
    struct bpf_insn   code[] = {
        MOVE(6, 1), SET(1, 0), STORE(10, -4, 1),
        MAP(1, next), MOVE(2, 10), ADD(2, -4), CALL(BPF_FUNC_map_lookup_elem), IF_0(0, 30),
        LOAD(7, 0, 0), STORE(10, -4, 7), ADD(7, 1), STORE(0, 0, 7),
        MAP(1, slots), MOVE(2, 10), ADD(2, -4), CALL(BPF_FUNC_map_lookup_elem), IF_0(0, 20),
        MOVE(7, 0), LOAD(8, 7, 0), IF_0(8, 17), IF_ABOVE(8, XDP_MOST, 16),
        MOVE(1, 6), MOVE(2, 8), ADD(2, -XDP_MOST), CALL(BPF_FUNC_xdp_adjust_tail), IF_NOT_0(0, 11),
        MOVE(1, 6), SET(2, 0), MOVE(3, 7), ADD(3, 4), MOVE(4, 8), CALL(BPF_FUNC_xdp_store_bytes), IF_NOT_0(0, 4),
        SET(1, ifindex), SET(2, 0), CALL(BPF_FUNC_redirect), RETURN,
        SET(0, XDP_DROP), RETURN,
    };
    union bpf_attr a = {.prog_type = BPF_PROG_TYPE_XDP, .insns = (uintptr_t)code, .insn_cnt = sizeof(code) / sizeof(code[0]),
                        .license = (uintptr_t)"GPL", .log_buf = (uintptr_t)log, .log_size = sizeof(log), .log_level = 1};
    int fd = bpf(BPF_PROG_LOAD, &a);

    if (fd < 0) {
        fprintf(stderr, "%s", log);
        die("a program for XDP");
    }
    return fd;
}

struct xdp_sender *xdp_open(const char *iface)
{
    struct xdp_sender *s = calloc(1, sizeof(*s));
    int                ifindex = (int)if_nametoindex(iface), next, slots;

    if (s == NULL || ifindex == 0)
        die(iface);
    s->next = shared_map(1, sizeof(*s->next), &next);
    s->slots = shared_map(XDP_BATCH, sizeof(*s->slots), &slots);
    s->program = load_program(next, slots, ifindex);
    return s;
}

void xdp_put(struct xdp_sender *s, unsigned i, const uint8_t *data, uint32_t len)
{
    s->slots[i].len = len < XDP_MOST ? len : XDP_MOST;
    memcpy(s->slots[i].data, data, s->slots[i].len);
}

void xdp_send(struct xdp_sender *s, unsigned n)
{
    union bpf_attr a = {.test = {.prog_fd = (uint32_t)s->program, .data_in = (uintptr_t)s->blank, .data_size_in = sizeof(s->blank), .repeat = n,
                                 .flags = BPF_F_TEST_XDP_LIVE_FRAMES, .batch_size = AT_ONCE}};

    *s->next = 0;
    if (bpf(BPF_PROG_TEST_RUN, &a) != 0)
        die("a batch of XDP frames");
}
