/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Tunnels, which take both sides to be known: what the one says and what the other answers must fit each other.
 *
 *   SOCKS 5 (RFC 1928)   methods offered; one of them chosen; then what that method calls for, to its length
 *   SOCKS 4              a request that ends with its user's name; an answer of eight bytes
 *   OpenVPN              a reset of the client; a reset of the server that holds the client's session number (64 bits), over UDP or, with
 *                        a length in front, TCP.  Where tls-crypt hides that number, nothing is said
 *   HTTP CONNECT (RFC 9110 9.3.6)   the request, and a status of 2xx: from there on it is a tunnel and no HTTP
 *   WireGuard            an initiation of 148 bytes; a response of 92 that names the initiation's sender (32 bits)
 */
#include <string.h>

#include "confirm.h"
#include "wire.h"

enum { TALK_NONE, TALK_CONNECT, TALK_SOCKS5, TALK_SOCKS5_CHOSEN, TALK_SOCKS4, TALK_OPENVPN, TALK_WIREGUARD };

#define SOCKS_NO_AUTHENTICATION 0
#define SOCKS_PASSWORD          2
#define OPENVPN_CLIENT          (7 << 3) /* P_CONTROL_HARD_RESET_CLIENT_V2, key 0 */
#define OPENVPN_SERVER          (8 << 3)
#define OPENVPN_SESSION         8
#define WIREGUARD_BEGINS        1
#define WIREGUARD_INITIATION    148
#define WIREGUARD_RESPONSE      92

/* What the message is of OpenVPN: over TCP its length goes ahead. */
static const uint8_t *openvpn_message(const struct confirm_input *in, size_t *ret_len)
{
    if (in->udp) {
        *ret_len = in->len;
        return in->data;
    }
    if (in->len < 2 || (size_t)wire_be16(in->data) + 2 != in->wire_len)
        return NULL;
    *ret_len = in->len - 2;
    return in->data + 2;
}

/* A reset has at least its session, the number of acknowledgements and its own number. */
static bool openvpn_reset(const struct confirm_input *in, uint8_t opcode, const uint8_t **ret, size_t *ret_len)
{
    *ret = openvpn_message(in, ret_len);
    return *ret != NULL && *ret_len >= 1 + OPENVPN_SESSION + 1 + 4 && (*ret)[0] == opcode;
}

static bool wireguard_initiation(const struct confirm_input *in)
{
    return in->udp && in->wire_len == WIREGUARD_INITIATION && in->len >= 8 && memcmp(in->data, "\1\0\0\0", 4) == 0;
}

static bool socks5_offer(const struct confirm_input *in)
{
    return !in->udp && in->first && in->len == in->wire_len && in->len >= 3 && in->data[0] == 5 && in->data[1] >= 1 &&
           in->wire_len == 2u + in->data[1];
}

/* Connect or bind, a port, an address, a name of letters that one zero byte ends; with 0.0.0.x a host name behind it. */
static bool socks4_request(const struct confirm_input *in)
{
    const uint8_t *p = in->data;

    return !in->udp && in->first && in->len == in->wire_len && in->len >= 9 && in->len <= 600 && p[0] == 4 && (p[1] == 1 || p[1] == 2) &&
           wire_be16(p + 2) != 0 && p[in->len - 1] == 0;
}

/* "CONNECT host:port HTTP/1.1", as far as it was captured */
static bool connect_request(const struct confirm_input *in)
{
    return !in->udp && in->first && in->len > 8 && memcmp(in->data, "CONNECT ", 8) == 0 &&
           memmem(in->data, in->len < 512 ? in->len : 512, " HTTP/1.", 8) != NULL;
}

static bool is_success(const struct confirm_input *in)
{
    return in->len >= 12 && memcmp(in->data, "HTTP/1.", 7) == 0 && in->data[8] == ' ' && in->data[9] == '2';
}

/* Nothing below begins otherwise: over TCP with the flow, over UDP with one of two bytes. */
static bool may_open(const struct confirm_input *in)
{
    return in->udp ? in->data[0] == WIREGUARD_BEGINS || in->data[0] == OPENVPN_CLIENT : in->first;
}

/* Does this begin a talk?  Keeps what the answer must have. */
static void open_talk(struct confirm_dialogue *d, const struct confirm_input *in, bool first_sender)
{
    const uint8_t *message;
    size_t         len;

    if (!may_open(in))
        return;
    if (wireguard_initiation(in)) {
        d->talk = TALK_WIREGUARD;
        memcpy(d->key, in->data + 4, 4);
    } else if ((in->udp || in->first) && openvpn_reset(in, OPENVPN_CLIENT, &message, &len)) {
        d->talk = TALK_OPENVPN;
        memcpy(d->key, message + 1, OPENVPN_SESSION);
    } else if (socks5_offer(in)) {
        d->talk = TALK_SOCKS5;
        memset(d->key, 0, sizeof(d->key));
        for (size_t i = 2; i < in->len; i++)
            d->key[in->data[i] == SOCKS_NO_AUTHENTICATION ? 0 : in->data[i] == SOCKS_PASSWORD ? 1 : 2] = 1;
    } else if (socks4_request(in)) {
        d->talk = TALK_SOCKS4;
    } else if (connect_request(in)) {
        d->talk = TALK_CONNECT;
    } else {
        return;
    }
    d->by_first = first_sender;
}

/* What the client goes on with, by the method that was chosen: a request, or a name and a password. */
static bool socks5_goes_on(const struct confirm_dialogue *d, const struct confirm_input *in)
{
    const uint8_t *p = in->data;

    if (in->len != in->wire_len || in->len < 5)
        return false;
    if (d->key[3] == SOCKS_PASSWORD) {
        size_t name = 2u + p[1];
        return p[0] == 1 && p[1] > 0 && name < in->len && name + 1 + p[name] == in->len;
    }
    if (p[0] != 5 || p[1] < 1 || p[1] > 3 || p[2] != 0)
        return false;
    return (p[3] == 1 && in->len == 10) || (p[3] == 4 && in->len == 22) || (p[3] == 3 && in->len == 7u + p[4]);
}

static enum confirm_answer go_on(struct confirm_dialogue *d, const struct confirm_input *in, const char **ret_name, const char **ret_detail)
{
    if (d->talk != TALK_SOCKS5_CHOSEN || !socks5_goes_on(d, in))
        return CONFIRM_NO;
    *ret_name = "SOCKS";
    *ret_detail = "SOCKS5";
    return CONFIRM_REQUEST;
}

static enum confirm_answer answered(const char *name, const char *detail, const char **ret_name, const char **ret_detail)
{
    *ret_name = name;
    *ret_detail = detail;
    return CONFIRM_RESPONSE;
}

static enum confirm_answer answer(struct confirm_dialogue *d, const struct confirm_input *in, const char **ret_name, const char **ret_detail)
{
    const uint8_t *p = in->data, *message;
    size_t         len;

    switch (d->talk) {
    case TALK_SOCKS5:
        if (in->len == 2 && in->wire_len == 2 && p[0] == 5 && (p[1] == SOCKS_NO_AUTHENTICATION || p[1] == SOCKS_PASSWORD) &&
            d->key[p[1] == SOCKS_PASSWORD] != 0) {
            d->talk = TALK_SOCKS5_CHOSEN;
            d->key[3] = p[1];
        }
        return CONFIRM_NO;
    case TALK_CONNECT:
        if (is_success(in))
            return answered("HTTP_Connect", "", ret_name, ret_detail);
        return CONFIRM_NO;
    case TALK_SOCKS4:
        if (in->len == 8 && in->wire_len == 8 && p[0] == 0 && p[1] >= 0x5a && p[1] <= 0x5d)
            return answered("SOCKS", "SOCKS4", ret_name, ret_detail);
        return CONFIRM_NO;
    case TALK_OPENVPN:
        if (openvpn_reset(in, OPENVPN_SERVER, &message, &len) &&
            memmem(message + 1 + OPENVPN_SESSION, len - 1 - OPENVPN_SESSION, d->key, OPENVPN_SESSION) != NULL)
            return answered("OpenVPN", "", ret_name, ret_detail);
        return CONFIRM_NO;
    case TALK_WIREGUARD:
        if (in->udp && in->wire_len == WIREGUARD_RESPONSE && in->len >= 12 && memcmp(p, "\2\0\0\0", 4) == 0 && memcmp(p + 8, d->key, 4) == 0)
            return answered("WireGuard", "", ret_name, ret_detail);
        return CONFIRM_NO;
    default:
        return CONFIRM_NO;
    }
}

bool confirm_dialogue_waits(const struct confirm_dialogue *d)
{
    return d->talk == TALK_CONNECT;
}

enum confirm_answer confirm_dialogue(struct confirm_dialogue *d, const struct confirm_input *in, bool first_sender, const char **ret_name,
                                     const char **ret_detail)
{
    if (d->talk == TALK_NONE) {
        open_talk(d, in, first_sender);
        return CONFIRM_NO;
    }
    if (first_sender != d->by_first)
        return answer(d, in, ret_name, ret_detail);
    enum confirm_answer a = go_on(d, in, ret_name, ret_detail);
    if (a == CONFIRM_NO && in->udp)
        open_talk(d, in, first_sender); /* a new attempt has a new number */
    return a;
}
