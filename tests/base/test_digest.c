#include "base/digest.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>

#include <cmocka.h>

static void assert_sha256(struct str data, const char *expected) {
    uint8_t digest[DIGEST_LEN];
    char hex[2 * DIGEST_LEN + 1];
    digest_sha256(data, digest);
    digest_hex(digest, hex);
    assert_string_equal(hex, expected);
}

// FIPS 180-4's examples.
static void test_sha256_of_the_standards_examples(void **state) {
    (void)state;
    assert_sha256(STR("abc"), "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad");
    assert_sha256(STR(""), "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855");
    assert_sha256(STR_NONE, "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855");
    assert_sha256(STR("abcdbcdecdefdefgefghfghighijhijkijkljklmklmnlmnomnopnopq"),
                  "248d6a61d20638b8e5c026930c3e6039a33ce45964ff2167f6ecedd419db06c1");
    char *million = malloc(1000000);
    assert_non_null(million);
    memset(million, 'a', 1000000);
    assert_sha256(str_n(million, 1000000), "cdc76e5c9914fb9281a1c7e284d73e67f1809a48a497200e046d39ccc7112cd0");
    free(million);
}

static void assert_hmac(struct str key, struct str data, const char *expected) {
    uint8_t digest[DIGEST_LEN];
    char hex[2 * DIGEST_LEN + 1];
    digest_hmac(key, data, digest);
    digest_hex(digest, hex);
    assert_string_equal(hex, expected);
}

// RFC 4231, cases 1 to 4, 6 and 7.
static void test_hmac_of_rfc_4231(void **state) {
    (void)state;
    char ones[131], bytes[25], data[50];
    memset(ones, 0x0b, sizeof ones);
    assert_hmac(str_n(ones, 20), STR("Hi There"), "b0344c61d8db38535ca8afceaf0bf12b881dc200c9833da726e9376c2e32cff7");
    assert_hmac(STR("Jefe"), STR("what do ya want for nothing?"),
                "5bdcc146bf60754e6a042426089575c75a003f089d2739839dec58b964ec3843");
    memset(ones, 0xaa, sizeof ones);
    memset(data, 0xdd, sizeof data);
    assert_hmac(str_n(ones, 20), str_n(data, 50), "773ea91e36800e46854db8ebd09181a72959098b3ef8c122d9635514ced565fe");
    for (size_t i = 0; i < sizeof bytes; i++)
        bytes[i] = (char)(i + 1);
    memset(data, 0xcd, sizeof data);
    assert_hmac(str_n(bytes, 25), str_n(data, 50), "82558a389a443c0ea4cc819899f2083a85f0faa3e578f8077a2e3ff46729665b");
    assert_hmac(str_n(ones, 131), STR("Test Using Larger Than Block-Size Key - Hash Key First"),
                "60e431591ee0b67f0d8a26aacbf5b77f8e0bc6213728c5140546040f0ee37f54");
    assert_hmac(str_n(ones, 131),
                STR("This is a test using a larger than block-size key and a larger than block-size data. The key "
                    "needs to be hashed before being used by the HMAC algorithm."),
                "9b09ffa71b942fcb27635fbcd5b0e944bfdc63644f0713938a7f51535c3a35e2");
}

static void test_hmac_takes_an_empty_key_and_empty_data(void **state) {
    (void)state;
    assert_hmac(STR_NONE, STR_NONE, "b613679a0814d9ec772f95d778c35fc5ff1697c493715653c6c712144292c5ad");
    assert_hmac(STR(""), STR(""), "b613679a0814d9ec772f95d778c35fc5ff1697c493715653c6c712144292c5ad");
}

static void test_equality_sees_every_byte_and_the_length(void **state) {
    (void)state;
    char a[DIGEST_LEN] = {0}, b[DIGEST_LEN] = {0};
    assert_true(digest_equal(str_n(a, DIGEST_LEN), str_n(b, DIGEST_LEN)));
    assert_false(digest_equal(str_n(a, DIGEST_LEN), str_n(b, DIGEST_LEN - 1)));
    assert_false(digest_equal(str_n(a, DIGEST_LEN), STR_NONE));
    assert_true(digest_equal(STR_NONE, STR("")));
    for (int i = 0; i < DIGEST_LEN * 8; i++) {
        b[i / 8] = (char)(b[i / 8] ^ 1 << i % 8);
        assert_false(digest_equal(str_n(a, DIGEST_LEN), str_n(b, DIGEST_LEN)));
        b[i / 8] = (char)(b[i / 8] ^ 1 << i % 8);
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_sha256_of_the_standards_examples),
        cmocka_unit_test(test_hmac_of_rfc_4231),
        cmocka_unit_test(test_hmac_takes_an_empty_key_and_empty_data),
        cmocka_unit_test(test_equality_sees_every_byte_and_the_length),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
