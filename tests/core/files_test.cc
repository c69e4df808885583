#include "core/files.h"

#include <gtest/gtest.h>
#include <sys/stat.h>

#include <utility>

#include "core/error.h"
#include "tests/core/temp_folder.h"

namespace {

using core::Error;

TEST(MappedFile, shows_the_bytes_of_the_file_and_survives_a_move) {
    // Views into weights stay valid while the owner is moved into a checkpoint.
    const TempFolder folder;
    core::MappedFile file(folder.write("a.bin", "abc"));
    const std::byte* start = file.bytes().data();
    const core::MappedFile moved = std::move(file);
    ASSERT_EQ(moved.bytes().size(), 3u);
    EXPECT_EQ(moved.bytes().data(), start);
    EXPECT_EQ(moved.bytes()[2], std::byte{'c'});
}

TEST(MappedFile, move_assignment_gives_the_new_bytes) {
    // A wrong swap would unmap the file that is still in use.
    const TempFolder folder;
    core::MappedFile a(folder.write("a.bin", "abc"));
    a = core::MappedFile(folder.write("b.bin", "wxyz"));
    ASSERT_EQ(a.bytes().size(), 4u);
    EXPECT_EQ(a.bytes()[0], std::byte{'w'});
}

TEST(MappedFile, missing_folder_empty_and_pipe_are_told_apart) {
    // Each of these is a common slip, and mmap itself would only say "invalid argument".
    const TempFolder folder;
    const auto open = [](const std::filesystem::path& path) {
        return message_of<Error>([&] { core::MappedFile file(path); });
    };
    EXPECT_PRED2(contains, open(folder.path() / "none.bin"),
                 "none.bin: expected a readable file, got \"No such file");
    EXPECT_PRED2(contains, open(folder.path()), "expected a file, got a folder");
    EXPECT_PRED2(contains, open(folder.write("empty.bin", "")), "got 0 bytes");
    const std::filesystem::path pipe = folder.path() / "pipe";
    ASSERT_EQ(::mkfifo(pipe.c_str(), 0600), 0);
    EXPECT_PRED2(contains, open(pipe), "got a pipe or device");
}

TEST(ReadText, reads_up_to_the_limit_and_not_one_byte_more) {
    // A 10 GB "config.json" must not be read into memory.
    const TempFolder folder;
    const auto file = folder.write("a.txt", "12345");
    EXPECT_EQ(core::read_text(file, core::Bytes{5}), "12345");
    EXPECT_PRED2(contains, message_of<Error>([&] { core::read_text(file, core::Bytes{4}); }),
                 "a.txt: expected at most 4 B");
}

TEST(ReadText, endless_devices_stop_at_the_limit) {
    // Their size reads as 0, so only counting helps.
    EXPECT_PRED2(contains,
                 message_of<Error>([] { core::read_text("/dev/zero", core::Bytes{1000}); }),
                 "got more");
}

TEST(ReadText, an_empty_file_is_empty_text) {
    // Emptiness is for the parser of the content to judge.
    const TempFolder folder;
    EXPECT_EQ(core::read_text(folder.write("a.txt", "")), "");
}

TEST(WriteText, the_file_is_whole_and_nothing_stays_beside_it) {
    // Written beside the file, then renamed: a reader never sees half of it.
    const TempFolder folder;
    const auto file = folder.path() / "out.html";
    core::write_text(file, "first");
    core::write_text(file, "second");
    EXPECT_EQ(core::read_text(file), "second");
    EXPECT_FALSE(std::filesystem::exists(folder.path() / "out.html.part"));
}

TEST(WriteText, a_path_that_cannot_be_written_is_named) {
    EXPECT_PRED2(contains, message_of<Error>([] { core::write_text("/nowhere/out.html", "x"); }),
                 "/nowhere/out.html: cannot be written: No such file or directory");
    const TempFolder folder;
    std::filesystem::create_directory(folder.path() / "taken");
    EXPECT_PRED2(contains,
                 message_of<Error>([&] { core::write_text(folder.path() / "taken", "x"); }),
                 "taken: cannot be written");
}

TEST(Printable, keeps_text_and_escapes_what_would_upset_a_terminal) {
    // Names from a hostile file end up in messages.
    EXPECT_EQ(core::printable("q_proj \xc3\xa9"), "q_proj \xc3\xa9");
    EXPECT_EQ(core::printable("a\n\x1b[2J"), "a\\x0a\\x1b[2J");
    EXPECT_EQ(core::printable("\xff\xc3"), "\\xff\\xc3");
    EXPECT_EQ(core::printable("\xc2\x9b"), "\\xc2\\x9b");
    EXPECT_EQ(core::printable(std::string(1000, 'x')), std::string(160, 'x') + "...");
}

}  // namespace
