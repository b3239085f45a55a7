/* Credentials: what the text means, and a copy for readers that insist on a private mode. */
#include "base/credential.h"
#include "base/private_file.h"
#include "tests/unit/unit.h"

#include <fcntl.h>
#include <stdio.h>
#include <sys/stat.h>

static void assert_path(const char *text, const char *expected)
{
    CLEANUP_FREE char *path = credential_path(text);
    ck_assert_str_eq(path, expected);
}

START_TEST(a_name_means_a_file_of_the_service)
{
    setenv("CREDENTIALS_DIRECTORY", "/run/credentials/x.service", 1);
    assert_path("credential:pgpass", "/run/credentials/x.service/pgpass");
    assert_path("/etc/pgpass", "/etc/pgpass");
    assert_path("credentials:x", "credentials:x");
    ck_assert(credential_is_one("/run/credentials/x.service/pgpass"));
    ck_assert(!credential_is_one("/run/credentials/x.service2/pgpass"));
    ck_assert(!credential_is_one("/run/credentials/x.service/../pgpass"));
    ck_assert(!credential_is_one("/etc/pgpass"));
    setenv("CREDENTIALS_DIRECTORY", "", 1);
    assert_path("credential:pgpass", CREDENTIAL_DEFAULT "/pgpass");
}
END_TEST

START_TEST(a_name_is_no_way_out_of_the_directory)
{
    static const char *const wrong[] = {"credential:", "credential:a/b", "credential:../x",
                                        "credential:/etc/shadow", "credential:.hidden"};
    for (size_t i = 0; i < ARRAY_SIZE(wrong); i++)
        ck_assert_msg(!credential_is_path(wrong[i]), "%s", wrong[i]);
    ck_assert(credential_is_path("credential:pgpass") && credential_is_path("../relative"));
}
END_TEST

/* --- private files ---------------------------------------------------------------------------- */

struct place {
    char folder[32];
    char path[64];
};

static struct place place_new(const char *content, mode_t mode)
{
    struct place place = {.folder = "/tmp/test-credential-XXXXXX"};
    ck_assert_ptr_nonnull(mkdtemp(place.folder));
    snprintf(place.path, sizeof place.path, "%s/pgpass", place.folder);
    int fd = open(place.path, O_WRONLY | O_CREAT | O_CLOEXEC, 0600);
    ck_assert_int_eq(write(fd, content, strlen(content)), (ssize_t)strlen(content));
    ck_assert_int_eq(fchmod(fd, mode), 0);
    close(fd);
    return place;
}

static void place_remove(const struct place *place)
{
    unlink(place->path);
    rmdir(place->folder);
}

START_TEST(a_credential_that_looks_shared_is_copied)
{
    char content[64] = "";
    struct stat file;
    struct place place = place_new("*:*:*:*:secret\n", 0440);
    setenv("CREDENTIALS_DIRECTORY", place.folder, 1);
    struct private_file *private = private_file_new(place.path);
    const char *path = private_file_path(private);
    ck_assert_str_ne(path, place.path);
    ck_assert_int_eq(stat(path, &file), 0);
    ck_assert(S_ISREG(file.st_mode));
    ck_assert_int_eq(file.st_mode & 0777, 0400); /* as libpq wants it */
    for (int i = 0; i < 2; i++) {                /* each reader has it from the start */
        FILE *reader = fopen(path, "r");
        ck_assert_ptr_nonnull(fgets(content, sizeof content, reader));
        ck_assert_str_eq(content, "*:*:*:*:secret\n");
        fclose(reader);
    }
    private_file_replace(&private, place.path); /* the same: nobody loses what they have open */
    ck_assert_ptr_eq(private_file_path(private), path);
    private_file_replace(&private, "/etc/other");
    ck_assert_str_eq(private_file_path(private), "/etc/other");
    private_file_replace(&private, NULL);
    ck_assert_ptr_null(private_file_path(private));
    place_remove(&place);
}
END_TEST

START_TEST(every_other_file_is_read_where_it_is)
{
    struct place place = place_new("*:*:*:*:secret\n", 0440);
    setenv("CREDENTIALS_DIRECTORY", "/run/credentials/x.service", 1);
    struct private_file *private = private_file_new(place.path); /* no credential */
    ck_assert_str_eq(private_file_path(private), place.path);
    private_file_free(private);
    setenv("CREDENTIALS_DIRECTORY", place.folder, 1);
    static const mode_t modes[] = {0400, 0600, 0444, 0640 | S_IWGRP};
    for (size_t i = 0; i < ARRAY_SIZE(modes); i++) {
        ck_assert_int_eq(chmod(place.path, modes[i]), 0);
        private = private_file_new(place.path);
        ck_assert_str_eq(private_file_path(private), place.path);
        private_file_free(private);
    }
    place_remove(&place);
    private = private_file_new(place.path); /* gone: its reader says so */
    ck_assert_str_eq(private_file_path(private), place.path);
    private_file_free(private);
    ck_assert_ptr_null(private_file_new(NULL));
}
END_TEST

UNIT_MAIN("credential", a_name_means_a_file_of_the_service, a_name_is_no_way_out_of_the_directory,
          a_credential_that_looks_shared_is_copied, every_other_file_is_read_where_it_is)
