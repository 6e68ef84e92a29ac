#include "web/assets.h"

#include <stdlib.h>

#include "../cmocka_all.h"

static void an_asset_is_found_by_its_whole_path_only(void **state)
{
    (void)state;
    assert_string_equal(web_asset_find(SLICE_LITERAL("/docs"))->path, "/docs");
    assert_null(web_asset_find(SLICE_LITERAL("/doc")));
    assert_null(web_asset_find(SLICE_LITERAL("/docs/")));
    assert_null(web_asset_find(SLICE_LITERAL("")));
}

static void every_asset_inflates_to_its_length_and_has_a_weak_etag(void **state)
{
    (void)state;
    for (size_t i = 0; i < web_assets_len; i++) {
        const struct web_asset *asset = &web_assets[i];
        char *plain = malloc(asset->plain_len);

        assert_non_null(plain);
        assert_int_equal(web_asset_inflate(asset, plain), 0);
        assert_memory_equal(asset->etag, "W/\"", 3);
        free(plain);
    }
}

static void an_asset_that_is_longer_than_it_says_is_refused(void **state)
{
    (void)state;
    struct web_asset asset = *web_asset_find(SLICE_LITERAL("/docs"));
    char *plain = malloc(asset.plain_len);

    asset.plain_len--;
    assert_int_equal(web_asset_inflate(&asset, plain), LM_EDATA);
    free(plain);
}

static void the_description_is_json_and_the_page_is_html(void **state)
{
    (void)state;
    assert_string_equal(web_asset_find(SLICE_LITERAL("/openapi.json"))->content_type,
                        "application/json");
    assert_string_equal(web_asset_find(SLICE_LITERAL("/docs"))->content_type,
                        "text/html; charset=utf-8");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(an_asset_is_found_by_its_whole_path_only),
        cmocka_unit_test(every_asset_inflates_to_its_length_and_has_a_weak_etag),
        cmocka_unit_test(an_asset_that_is_longer_than_it_says_is_refused),
        cmocka_unit_test(the_description_is_json_and_the_page_is_html),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
