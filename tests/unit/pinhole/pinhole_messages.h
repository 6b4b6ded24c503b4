/* SPDX-License-Identifier: Apache-2.0 */
/* Messages by hand, in either byte order and either NDR. */
#ifndef PINHOLE_MESSAGES_H
#define PINHOLE_MESSAGES_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define MESSAGE_MAX 70000

struct message {
    uint8_t bytes[MESSAGE_MAX];
    size_t len, stub; /* where alignment counts from */
    bool big, wide;   /* big-endian; NDR64 */
};

#define EPM_UUID       "e1af8308-5d1f-11c9-91a4-08002b14a0fa"
#define OXID_UUID      "99fcfec4-5260-101b-bbcb-00aa0021347a"
#define ACTIVATOR_UUID "000001a0-0000-0000-c000-000000000046"
#define DRSUAPI_UUID   "e3514235-4b06-11d1-ab04-00c04fc2dcd2"
#define NDR_UUID       "8a885d04-1ceb-11c9-9fe8-08002b104860"
#define NDR64_UUID     "71710533-beba-4937-8319-b5dbef9ccc36"

struct message *message_new(void); /* free() it */
void put_8(struct message *, unsigned);
void put_16(struct message *, unsigned);
void put_32(struct message *, uint32_t);
void put_word(struct message *, uint32_t); /* aligned, 4 bytes or in NDR64 8 */
void put_bytes(struct message *, const void *, size_t);
void put_uuid(struct message *, const char *text);
void put_align(struct message *, size_t);

/* --- connection-oriented RPC --- */
enum {
    RPC_REQUEST = 0,
    RPC_RESPONSE = 2,
    RPC_FAULT = 3,
    RPC_BIND = 11,
    RPC_ACK = 12,
    RPC_ALTER = 14,
    RPC_ALTER_ACK = 15
};
/* Begins a PDU with its 16 bytes of header; end with rpc_finish(), which puts in the length. */
size_t rpc_begin(struct message *, unsigned type, unsigned flags, uint32_t call);
void rpc_finish(struct message *, size_t begin, unsigned auth_len);
/* One context. */
void rpc_bind(struct message *, unsigned type, unsigned context, const char *interface, const char *syntax);
void rpc_ack(struct message *, unsigned type, unsigned result, const char *syntax);
void rpc_request(struct message *, uint32_t call, unsigned context, unsigned opnum);
/* The head of an answer whose stub follows. */
size_t rpc_response(struct message *, uint32_t call, unsigned context, unsigned flags);

/* --- the endpoint mapper --- */
struct tower {
    const char *uuid;
    uint8_t floor; /* 0x07 TCP, 0x08 UDP, 0x1f HTTP, 0x0f named pipe */
    uint16_t port;
    uint8_t ip[4];
};
void epm_map_stub(struct message *, const struct tower *, size_t n);
void epm_lookup_stub(struct message *, const struct tower *, size_t n);

/* --- DCOM --- */
void oxid_stub(struct message *, const char *const *bindings, size_t n);

/* --- connectionless RPC: the header and room for a stub; finish with rpc_udp_finish() --- */
void rpc_udp(struct message *, unsigned type, const char *interface, unsigned opnum, uint32_t sequence);
void rpc_udp_finish(struct message *);

/* --- SCCP --- */
void sccp_media(struct message *, uint32_t id, uint32_t version, const uint8_t ip[4], uint16_t port);

#endif
