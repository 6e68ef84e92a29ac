#include "aws/profile.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "aws/ini.h"
#include "base/xalloc.h"

enum {
    FILE_BYTES_MAX = 1 << 20,
    PATH_BYTES_MAX = 4096,
};

static const char *const setting_names[] = {
#define AWS_PROFILE_NAME(symbol, name) name,
    AWS_PROFILE_SETTINGS(AWS_PROFILE_NAME)
#undef AWS_PROFILE_NAME
};

const char *aws_profile_env(const char *name)
{
    const char *value = getenv(name);

    return value && value[0] != '\0' ? value : NULL;
}

void aws_profile_free_text(char *text)
{
    if (!text)
        return;
    explicit_bzero(text, strlen(text));
    free(text);
}

int aws_profile_read_file(const char *path, char **text, struct errbuf *err)
{
    FILE *file = fopen(path, "re");
    int error = 0;

    if (!file)
        return errbuf_fail(err, errno == ENOENT ? LM_ENOTFOUND : LM_EINVAL, "cannot read %s: %s",
                           path, strerror(errno));
    setvbuf(file, NULL, _IONBF, 0); /* no second copy of a secret */
    *text = xcalloc(1, FILE_BYTES_MAX + 1);
    size_t len = fread(*text, 1, FILE_BYTES_MAX + 1, file);
    if (ferror(file))
        error = errbuf_fail(err, LM_EINVAL, "cannot read %s: %s", path, strerror(errno));
    else if (len > FILE_BYTES_MAX)
        error = errbuf_fail(err, LM_EINVAL, "%s is larger than 1 MiB", path);
    fclose(file);
    if (error) {
        explicit_bzero(*text, len);
        free(*text);
        *text = NULL;
        return error;
    }
    (*text)[len] = '\0';
    return 0;
}

/* What is being read, and whether it is the credentials file, where names stand bare. */
struct reading {
    struct aws_profile *p;
    bool bare;
};

static bool is_section_of(const struct reading *r, struct slice section)
{
    static const char prefix[] = "profile";
    size_t prefix_len = sizeof(prefix) - 1;
    struct slice wanted = slice_of_string(r->p->name);

    if (r->bare || slice_equal(section, SLICE_LITERAL("default")))
        return slice_equal(section, wanted);
    if (section.len <= prefix_len || memcmp(section.data, prefix, prefix_len) != 0 ||
        (section.data[prefix_len] != ' ' && section.data[prefix_len] != '\t'))
        return false;
    section = slice_of(section.data + prefix_len, section.len - prefix_len);
    while (section.len > 0 && (section.data[0] == ' ' || section.data[0] == '\t'))
        section = slice_of(section.data + 1, section.len - 1);
    if (section.len >= 2 && (section.data[0] == '"' || section.data[0] == '\'') &&
        section.data[section.len - 1] == section.data[0])
        section = slice_of(section.data + 1, section.len - 2);
    return slice_equal(section, wanted);
}

static void take_item(const struct aws_ini_item *item, void *ctx)
{
    struct reading *r = ctx;

    if (!is_section_of(r, item->section))
        return;
    r->p->found = true;
    for (size_t i = 0; i < AWS_PROFILE_SETTINGS_LEN; i++) {
        if (!slice_equal(item->key, slice_of_string(setting_names[i])) || item->value.len == 0)
            continue;
        aws_profile_free_text(r->p->values[i]);
        r->p->values[i] = xcalloc(1, item->value.len + 1);
        memcpy(r->p->values[i], item->value.data, item->value.len);
    }
}

/* The path that `variable` gives, or that of `name` in ~/.aws. Returns false if there is none.
 */
static bool find_path(const char *variable, const char *name, char path[PATH_BYTES_MAX])
{
    const char *given = aws_profile_env(variable);
    const char *home = aws_profile_env("HOME");
    int len;

    if (given && strncmp(given, "~/", 2) != 0)
        len = snprintf(path, PATH_BYTES_MAX, "%s", given);
    else if (!home)
        return false;
    else if (given)
        len = snprintf(path, PATH_BYTES_MAX, "%s%s", home, given + 1);
    else
        len = snprintf(path, PATH_BYTES_MAX, "%s/.aws/%s", home, name);
    return len < PATH_BYTES_MAX;
}

static int read_into(struct aws_profile *p, const char *variable, const char *name, bool bare,
                     struct errbuf *err)
{
    struct reading reading = {.p = p, .bare = bare};
    char path[PATH_BYTES_MAX];
    char *text = NULL;

    if (!find_path(variable, name, path))
        return 0;
    int error = aws_profile_read_file(path, &text, err);
    if (!error && text)
        aws_ini_parse(slice_of_string(text), take_item, &reading);
    aws_profile_free_text(text);
    return error == LM_ENOTFOUND ? 0 : error;
}

int aws_profile_load(struct aws_profile *p, struct errbuf *err)
{
    const char *chosen = aws_profile_env("AWS_PROFILE");
    int error;

    *p = (struct aws_profile){.chosen = chosen};
    p->name = xstrdup(chosen ? chosen : "default");
    /* The config file first: what the other one has then replaces it. */
    if ((error = read_into(p, "AWS_CONFIG_FILE", "config", false, err)) ||
        (error = read_into(p, "AWS_SHARED_CREDENTIALS_FILE", "credentials", true, err)))
        goto fail;
    if (p->chosen && !p->found) {
        error = errbuf_fail(err, LM_EINVAL,
                            "AWS_PROFILE: \"%s\" is in neither of the shared AWS files", p->name);
        goto fail;
    }
    return 0;

fail:
    aws_profile_release(p);
    return error;
}

void aws_profile_release(struct aws_profile *p)
{
    for (size_t i = 0; i < AWS_PROFILE_SETTINGS_LEN; i++)
        aws_profile_free_text(p->values[i]);
    free(p->name);
    *p = (struct aws_profile){0};
}
