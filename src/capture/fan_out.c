/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Handles of one interface as a fan-out group of the kernel's (packet(7), PACKET_FANOUT).
 *
 * Which handle gets a packet is the result of a classic BPF program, modulo their number: the two addresses folded into a word
 * by exclusive or, which is the same either way round, and mixed.  The kernel runs it before the link-layer header
 * is put back, hence offsets from the network header (SKF_NET_OFF); the outer VLAN tag is off already, others are walked.
 * A load beyond the end of the packet ends the program with 0: the first handle.
 */
#include <assert.h>
#include <errno.h>
#include <linux/filter.h>
#include <linux/if_packet.h>
#include <sys/socket.h>
#include <unistd.h>

#include "live-private.h"

#define NET ((uint32_t)SKF_NET_OFF)
#define MAX_CODE 192
#define MAX_INNER_TAGS 3

enum label { L_IP, L_V4, L_V4_PAIR, L_V4_QUOTE, L_V6, L_V6_PAIR, L_MIX, N_LABELS };
enum cell { C_ACC, C_BASE, C_TYPE }; /* of the program's scratch memory */

struct program {
    struct sock_filter code[MAX_CODE];
    int goes_to[MAX_CODE]; /* label of a jump, or -1 */
    unsigned at[N_LABELS], n;
};

static void put(struct program *p, uint16_t code, uint32_t k)
{
    assert(p->n < MAX_CODE);
    p->goes_to[p->n] = -1;
    p->code[p->n++] = (struct sock_filter){.code = code, .k = k};
}

static void put_label(struct program *p, enum label label)
{
    p->at[label] = p->n;
}

static void put_jump(struct program *p, enum label label)
{
    put(p, BPF_JMP | BPF_JA, 0);
    p->goes_to[p->n - 1] = (int)label;
}

/* Jumps where 'A test k' holds. */
static void put_jump_if(struct program *p, uint16_t test, uint32_t k, enum label label)
{
    put(p, BPF_JMP | test | BPF_K, k);
    p->code[p->n - 1].jf = 1;
    put_jump(p, label);
}

static void put_load(struct program *p, uint16_t size, uint32_t offset)
{
    put(p, BPF_LD | size | BPF_IND, NET + offset); /* at X + offset */
}

/* X moves on by a constant; A is lost. */
static void put_advance(struct program *p, uint32_t by)
{
    put(p, BPF_MISC | BPF_TXA, 0);
    put(p, BPF_ALU | BPF_ADD | BPF_K, by);
    put(p, BPF_MISC | BPF_TAX, 0);
    put(p, BPF_STX, C_BASE);
}

/* X = where the IP header begins, A = its EtherType. */
static void put_tags(struct program *p)
{
    put(p, BPF_LDX | BPF_IMM, 0);
    put(p, BPF_STX, C_BASE);
    put(p, BPF_LD | BPF_W | BPF_ABS, (uint32_t)(SKF_AD_OFF + SKF_AD_PROTOCOL));
    for (int i = 0; i < MAX_INNER_TAGS; i++) {
        put_jump_if(p, BPF_JEQ, 0x0800, L_IP);
        put_jump_if(p, BPF_JEQ, 0x86dd, L_IP);
        put_load(p, BPF_H, 2); /* after the tag, if it is one: else no one minds */
        put(p, BPF_ST, C_TYPE);
        put_advance(p, 4);
        put(p, BPF_LD | BPF_MEM, C_TYPE);
    }
    put_label(p, L_IP);
    put_jump_if(p, BPF_JEQ, 0x0800, L_V4);
    put_jump_if(p, BPF_JEQ, 0x86dd, L_V6);
    put(p, BPF_RET | BPF_K, 0);
}

static void put_fold_v4(struct program *p, uint32_t source_offset)
{
    put_load(p, BPF_W, source_offset);
    put(p, BPF_ST, C_ACC);
    put_load(p, BPF_W, source_offset + 4);
    put(p, BPF_LDX | BPF_MEM, C_ACC);
    put(p, BPF_ALU | BPF_XOR | BPF_X, 0);
    put_jump(p, L_MIX);
}

/* RFC 792: types 3, 4, 5, 11 and 12 quote the packet that they answer, 8 bytes into the message. */
static void put_v4(struct program *p)
{
    static const uint32_t errors[] = {3, 4, 5, 11, 12};

    put_label(p, L_V4);
    put_load(p, BPF_B, 9);
    put(p, BPF_JMP | BPF_JEQ | BPF_K, 1); /* ICMP */
    p->code[p->n - 1].jt = 1;
    put_jump(p, L_V4_PAIR);
    put_load(p, BPF_H, 6);
    put_jump_if(p, BPF_JSET, 0x1fff, L_V4_PAIR); /* a later fragment */
    put_load(p, BPF_B, 0);
    put(p, BPF_ALU | BPF_AND | BPF_K, 0xf);
    put(p, BPF_ALU | BPF_LSH | BPF_K, 2);
    put(p, BPF_ALU | BPF_ADD | BPF_X, 0);
    put(p, BPF_MISC | BPF_TAX, 0);
    put_load(p, BPF_B, 0);
    for (size_t i = 0; i < sizeof(errors) / sizeof(errors[0]); i++)
        put_jump_if(p, BPF_JEQ, errors[i], L_V4_QUOTE);
    put(p, BPF_LDX | BPF_MEM, C_BASE);
    put_label(p, L_V4_PAIR);
    put_fold_v4(p, 12);
    put_label(p, L_V4_QUOTE);
    put_fold_v4(p, 8 + 12);
}

/* RFC 4443: types below 128 are errors. */
static void put_v6(struct program *p)
{
    put_label(p, L_V6);
    put_load(p, BPF_B, 6);
    put(p, BPF_JMP | BPF_JEQ | BPF_K, 58); /* ICMPv6 */
    p->code[p->n - 1].jt = 1;
    put_jump(p, L_V6_PAIR);
    put_load(p, BPF_B, 40);
    put_jump_if(p, BPF_JGE, 128, L_V6_PAIR);
    put_advance(p, 40 + 8);
    put_label(p, L_V6_PAIR);
    put(p, BPF_LD | BPF_IMM, 0);
    put(p, BPF_ST, C_ACC);
    for (uint32_t offset = 8; offset < 40; offset += 4) {
        put(p, BPF_LDX | BPF_MEM, C_BASE);
        put_load(p, BPF_W, offset);
        put(p, BPF_LDX | BPF_MEM, C_ACC);
        put(p, BPF_ALU | BPF_XOR | BPF_X, 0);
        put(p, BPF_ST, C_ACC);
    }
    put_label(p, L_MIX);
    put(p, BPF_ALU | BPF_MUL | BPF_K, 0x9e3779b1); /* 2^32 divided by the golden ratio, made odd */
    put(p, BPF_ALU | BPF_RSH | BPF_K, 16);
    put(p, BPF_RET | BPF_A, 0);
}

static void build(struct program *p)
{
    p->n = 0;
    put_tags(p);
    put_v4(p);
    put_v6(p);
    for (unsigned i = 0; i < p->n; i++)
        if (p->goes_to[i] >= 0)
            p->code[i].k = p->at[p->goes_to[i]] - i - 1;
}

/* A group of its own, whose number the kernel chooses. */
static int lead(struct live *l, int mode)
{
    int argument = (mode | PACKET_FANOUT_FLAG_UNIQUEID) << 16;

    return setsockopt(l->fd, SOL_PACKET, PACKET_FANOUT, &argument, sizeof(argument)) == 0 ? 0 : -errno;
}

/* The first one founds the group; the program has to be there before a second one joins. */
static int found(struct live *l, struct err *reterr)
{
    struct program program;

    build(&program);
    const struct sock_fprog code = {.len = (uint16_t)program.n, .filter = program.code};
    l->fan_out = LIVE_BY_PAIR;
    if (lead(l, PACKET_FANOUT_CBPF) == 0)
        return setsockopt(l->fd, SOL_PACKET, PACKET_FANOUT_DATA, &code, sizeof(code)) == 0
                   ? 0
                   : err_set(reterr, -errno, "%s: the kernel refuses the fan-out program: %s", l->name, strerror(errno));
    l->fan_out = LIVE_BY_HASH;
    if (lead(l, PACKET_FANOUT_HASH) != 0)
        return err_set(reterr, -ENOTSUP, "%s: the kernel does not deal packets out to several handles (%s): use one",
                       l->name, strerror(errno));
    return 0;
}

static int join(struct live *l, const struct live *first, struct err *reterr)
{
    int mode = first->fan_out == LIVE_BY_PAIR ? PACKET_FANOUT_CBPF : PACKET_FANOUT_HASH, group = 0;
    socklen_t size = sizeof(group);

    if (getsockopt(first->fd, SOL_PACKET, PACKET_FANOUT, &group, &size) != 0)
        return err_set(reterr, -errno, "%s: the fan-out group is not known: %s", l->name, strerror(errno));
    int argument = (group & 0xffff) | mode << 16;
    if (setsockopt(l->fd, SOL_PACKET, PACKET_FANOUT, &argument, sizeof(argument)) != 0)
        return err_set(reterr, -errno, "%s: cannot join the fan-out group: %s", l->name, strerror(errno));
    l->fan_out = first->fan_out;
    return 0;
}

/* What is in the ring came before the group was whole: other handles may have it too. */
static int open_again(struct live *l, struct err *reterr)
{
    int unused = 0;

    live_count(l);
    l->n_to_skip = l->stats.n_received - l->stats.n_dropped;
    memset(&l->stats, 0, sizeof(l->stats));
    if (setsockopt(l->fd, SOL_SOCKET, SO_DETACH_FILTER, &unused, sizeof(unused)) != 0)
        return err_set(reterr, -errno, "%s: the kernel does not start capturing: %s", l->name, strerror(errno));
    return 0;
}

int fan_out_join(struct live **handles, unsigned n, struct err *reterr)
{
    int rc = 0;

    for (unsigned i = 0; rc == 0 && i < n; i++)
        rc = live_shut(handles[i], reterr);
    if (rc == 0)
        rc = found(handles[0], reterr);
    for (unsigned i = 1; rc == 0 && i < n; i++)
        rc = join(handles[i], handles[0], reterr);
    usleep(10000); /* for a packet that another processor was putting into a ring meanwhile */
    for (unsigned i = 0; rc == 0 && i < n; i++)
        rc = open_again(handles[i], reterr);
    return rc;
}
