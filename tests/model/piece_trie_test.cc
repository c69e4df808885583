#include "model/piece_trie.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <map>
#include <random>
#include <string>

namespace model {
namespace {

TEST(PieceTrie, finds_every_entry_a_text_begins_with_and_no_other) {
    // Against looking at each prefix: bytes of any value, entries inside entries, none at all.
    std::mt19937 random(3);
    for (const std::size_t letters : {2u, 5u, 256u}) {
        const auto text = [&](std::size_t size) {
            std::string made;
            while (made.size() < size) made += static_cast<char>(random() % letters);
            return made;
        };
        std::map<std::string, std::int32_t> entries;
        for (std::int32_t id = 0; id < 3000; ++id) entries.emplace(text(1 + random() % 9), id);
        std::vector<PieceTrie::Entry> list;
        for (const auto& [entry, id] : entries) list.push_back({entry, id});
        std::shuffle(list.begin(), list.end(), random);
        const PieceTrie trie(list);
        for (int round = 0; round < 2000; ++round) {
            const std::string asked = text(random() % 12);
            std::map<std::string, std::int32_t> found;
            trie.each_prefix(asked, [&](std::size_t length, std::int32_t id) {
                found.emplace(asked.substr(0, length), id);
            });
            std::map<std::string, std::int32_t> expected;
            for (std::size_t size = 1; size <= asked.size(); ++size) {
                const auto entry = entries.find(asked.substr(0, size));
                if (entry != entries.end()) expected.insert(*entry);
            }
            ASSERT_EQ(found, expected);
        }
    }
    PieceTrie().each_prefix("abc", [](std::size_t, std::int32_t) { FAIL(); });
}

}  // namespace
}  // namespace model
