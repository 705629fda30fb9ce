/* For the tests of matching: a request, said in a few words. */
#ifndef LB_TEST_REQUEST_H
#define LB_TEST_REQUEST_H

#include "lb/match.h"
#include "proto/names.h"

#include <stdarg.h>
#include <setjmp.h>
#include <cmocka.h>

enum { TEST_FIELDS = 16 };

struct test_request {
    struct head head;
    struct field fields[TEST_FIELDS];
    struct addr client;
    struct pattern_scratch scratch;
    struct request_facts facts;
};

static inline void request_init(struct test_request *request, const char *method,
                                const char *host, const char *path)
{
    *request = (struct test_request){.client = {.family = ADDR_IP4}};
    request->head.fields = request->fields;
    request->head.known = UINT64_MAX;
    request->head.field_room = TEST_FIELDS;
    request->head.method_text = str_of(method);
    request->head.method = method_find(request->head.method_text);
    pattern_scratch_init(&request->scratch);
    request->facts = (struct request_facts){
        .head = &request->head,
        .host = str_of(host),
        .path = str_of(path),
        .client = &request->client,
        .scratch = &request->scratch,
    };
}

static inline void request_close(struct test_request *request)
{
    pattern_scratch_close(&request->scratch);
}

static inline struct field *request_add(struct test_request *request, const char *name,
                                        const char *value)
{
    struct field *field = &request->fields[request->head.field_count++];

    assert_true(request->head.field_count <= TEST_FIELDS);
    *field = (struct field){
        .name = str_of(name),
        .value = str_of(value),
        .known = (unsigned char)name_find(str_of(name)),
    };
    return field;
}

static inline void request_set_client(struct test_request *request, const char *ip)
{
    assert_int_equal(addr_parse_ip(str_of(ip), &request->client), ERR_OK);
}

#endif
