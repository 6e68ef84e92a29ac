#include "net/given_table.h"

#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "../cmocka_all.h"

enum { SOCKETS = 20 };

/* A set of sockets; `names`: as they would be before they go. */
static void fill(struct given *g, const int *fds, bool names)
{
    for (int i = 0; i < SOCKETS; i++) {
        struct given_socket *s = given_add(g, fcntl(fds[i], F_DUPFD_CLOEXEC, 0),
                                           names ? (i % 2 ? "syslog" : "") : "stored", false);

        if (!names)
            continue;
        s->is_held = i % 3 == 0;
        for (int k = 0; k < i * 100; k++)
            buffer_append_char(&s->state, (char)(k * i));
    }
}

static void check_same(const struct given *g, int i, int at)
{
    const struct given_socket *s = &g->sockets[at];

    assert_string_equal(s->name, i % 2 ? "syslog" : "");
    assert_int_equal(s->is_held, i % 3 == 0);
    assert_int_equal(s->state.len, i * 100);
    for (int k = 0; k < i * 100; k++)
        assert_int_equal(s->state.data[k], (char)(k * i));
}

static void make_sockets(int *fds)
{
    for (int i = 0; i < SOCKETS; i++)
        fds[i] = socket(AF_INET, SOCK_STREAM, 0);
}

static void close_sockets(const int *fds)
{
    for (int i = 0; i < SOCKETS; i++)
        close(fds[i]);
}

static void names_and_states_find_their_sockets_in_any_order(void **state)
{
    struct given g = {0}, same = {0}, reversed = {0};
    int fds[SOCKETS], turned[SOCKETS];

    make_sockets(fds);
    fill(&g, fds, true);
    int table = given_table_write(&g, NULL);
    assert_true(table >= 0);

    fill(&same, fds, false);
    assert_int_equal(given_table_read(&same, table, NULL), 0);
    for (int i = 0; i < SOCKETS; i++)
        check_same(&same, i, i);

    for (int i = 0; i < SOCKETS; i++)
        turned[i] = fds[SOCKETS - 1 - i];
    fill(&reversed, turned, false);
    assert_int_equal(given_table_read(&reversed, table, NULL), 0);
    for (int i = 0; i < SOCKETS; i++)
        check_same(&reversed, i, SOCKETS - 1 - i);

    close(table);
    given_release(&g);
    given_release(&same);
    given_release(&reversed);
    close_sockets(fds);
}

static void what_has_no_entry_or_no_socket_stays_as_it_was(void **state)
{
    struct given g = {0}, other = {0};
    int fds[SOCKETS];

    make_sockets(fds);
    fill(&g, fds, true);
    int table = given_table_write(&g, NULL);
    given_add(&other, socket(AF_INET, SOCK_DGRAM, 0), "stored", false);
    given_add(&other, fcntl(fds[7], F_DUPFD_CLOEXEC, 0), "stored", false);
    assert_int_equal(given_table_read(&other, table, NULL), 0);
    assert_string_equal(other.sockets[0].name, "stored");
    check_same(&other, 7, 1);
    close(table);
    given_release(&g);
    given_release(&other);
    close_sockets(fds);
}

static void a_table_that_is_cut_off_or_changed_is_refused(void **state)
{
    struct given g = {0};
    char bytes[64 * 1024];
    int fds[SOCKETS];

    make_sockets(fds);
    fill(&g, fds, true);
    int table = given_table_write(&g, NULL);
    ssize_t len = pread(table, bytes, sizeof(bytes) - 1, 0);
    assert_true(len > 1000);
    for (ssize_t cut = 0; cut < len; cut++) { /* in memory of its own, for sanitizers to see */
        char *part = malloc((size_t)cut + 1);

        memcpy(part, bytes, (size_t)cut);
        assert_int_equal(given_table_apply(&g, slice_of(part, (size_t)cut), NULL), LM_EINVAL);
        free(part);
    }
    assert_int_equal(given_table_apply(&g, slice_of(bytes, (size_t)len + 1), NULL), LM_EINVAL);
    for (ssize_t at = 0; at < len; at += 3) { /* whatever is in it: no more than an error */
        char *changed = malloc((size_t)len);

        memcpy(changed, bytes, (size_t)len);
        changed[at] ^= (char)0xff;
        (void)!given_table_apply(&g, slice_of(changed, (size_t)len), NULL);
        free(changed);
    }
    assert_int_equal(given_table_read(&g, fds[0], NULL), LM_EINVAL); /* no file */
    close(table);
    given_release(&g);
    close_sockets(fds);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(names_and_states_find_their_sockets_in_any_order),
        cmocka_unit_test(what_has_no_entry_or_no_socket_stays_as_it_was),
        cmocka_unit_test(a_table_that_is_cut_off_or_changed_is_refused),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
