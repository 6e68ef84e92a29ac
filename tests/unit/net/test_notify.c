/* A service manager's end of sd_notify(3) and of its descriptor store. */
#include "net/notify.h"

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "../cmocka_all.h"
#include "net/descriptors.h"

enum { SOCKETS = 300 };

/* A manager's socket, of a name that is no file's, and the environment that tells of it. */
static int be_manager(const char *store)
{
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    char name[64];
    int fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);

    snprintf(name, sizeof(name), "@logmill-test-%ld", (long)getpid());
    memcpy(address.sun_path + 1, name + 1, strlen(name) - 1);
    assert_int_equal(bind(fd, (struct sockaddr *)&address,
                          (socklen_t)(offsetof(struct sockaddr_un, sun_path) + strlen(name))),
                     0);
    setenv("NOTIFY_SOCKET", name, 1);
    setenv("FDSTORE", store, 1);
    return fd;
}

static void states_are_told_as_datagrams(void **state)
{
    char text[64] = "";
    int fds[DESCRIPTORS_MAX];
    struct notify n;
    size_t len;
    int manager = be_manager("0");

    notify_init(&n);
    assert_null(getenv("NOTIFY_SOCKET"));
    assert_null(getenv("FDSTORE"));
    assert_int_equal(notify_room(&n), 0);
    notify_say(&n, "READY=1");
    assert_int_equal(descriptors_receive(manager, text, sizeof(text), fds, &len), 7);
    assert_memory_equal(text, "READY=1", 7);
    close(manager);
    notify_say(&n, "STOPPING=1"); /* to nobody: no harm */
}

static void without_a_manager_nothing_is_told(void **state)
{
    struct notify n;

    for (int i = 0; i < 2; i++) {
        if (i == 1)
            setenv("NOTIFY_SOCKET", "relative/path", 1);
        setenv("FDSTORE", "10", 1);
        notify_init(&n);
        assert_int_equal(n.address_len, 0);
        assert_int_equal(notify_room(&n), 0);
        notify_say(&n, "READY=1");
    }
}

/* What the manager was told, into its store, as the next start would get it. */
static void keep(int manager, struct given *store, size_t messages)
{
    for (size_t i = 0; i < messages; i++) {
        char text[128] = "";
        int fds[DESCRIPTORS_MAX];
        size_t n;

        assert_true(descriptors_receive(manager, text, sizeof(text) - 1, fds, &n) > 0);
        assert_string_equal(text, "FDSTORE=1\nFDNAME=logmill-stored");
        for (size_t k = 0; k < n; k++)
            given_add(store, fds[k], "logmill-stored", true);
    }
}

static void what_is_stored_comes_back_as_it_was(void **state)
{
    struct given g = {0}, store = {0};
    char text[128] = "";
    int fds[DESCRIPTORS_MAX];
    struct notify n;
    size_t len;
    int manager = be_manager("1000");

    notify_init(&n);
    assert_int_equal(notify_room(&n), 999);
    for (int i = 0; i < SOCKETS; i++) {
        struct given_socket *s = given_add(&g, socket(AF_INET, SOCK_STREAM, 0), "gelf", false);

        s->is_held = i == 5; /* the manager has that one anyway */
        buffer_append_i64(&s->state, i);
    }
    assert_int_equal(notify_store(&n, &g, NULL), 0);
    keep(manager, &store, 2);
    assert_int_equal(store.len, SOCKETS); /* with the table, without the one */
    assert_true(notify_unstore(&store));
    for (size_t i = 1; i < store.len; i++) {
        char number[24];

        snprintf(number, sizeof(number), "%zu", i <= 5 ? i - 1 : i);
        assert_string_equal(store.sockets[i].name, "gelf");
        assert_false(store.sockets[i].is_held);
        assert_int_equal(store.sockets[i].state.len, strlen(number));
        assert_memory_equal(store.sockets[i].state.data, number, strlen(number));
    }
    notify_forget(&n);
    assert_true(descriptors_receive(manager, text, sizeof(text) - 1, fds, &len) > 0);
    assert_string_equal(text, "FDSTOREREMOVE=1\nFDNAME=logmill-stored");
    close(manager);
    given_release(&g);
    given_release(&store);
}

static void sockets_whose_table_is_lost_have_no_name_that_counts(void **state)
{
    struct given g = {0};

    assert_false(notify_unstore(&g));
    given_add(&g, socket(AF_INET, SOCK_STREAM, 0), "logmill-stored", true);
    given_add(&g, open("/dev/null", O_RDONLY), "logmill-stored", true);
    assert_true(notify_unstore(&g));
    assert_int_equal(given_check_taken(&g, NULL), 0);
    given_release(&g);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(states_are_told_as_datagrams),
        cmocka_unit_test(without_a_manager_nothing_is_told),
        cmocka_unit_test(what_is_stored_comes_back_as_it_was),
        cmocka_unit_test(sockets_whose_table_is_lost_have_no_name_that_counts),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
