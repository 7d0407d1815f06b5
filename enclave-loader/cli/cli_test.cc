// SPDX-License-Identifier: Apache-2.0
#include <gtest/gtest.h>
#include <sys/stat.h>
#include <unistd.h>

#include <array>
#include <string>
#include <vector>

#include "enclave-loader/cli/command_line.h"
#include "enclave-loader/cli/complaint.h"
#include "enclave-loader/cli/output.h"
#include "enclave-loader/cli/plain_parser.h"
#include "enclave-loader/cli/tool.h"

namespace nsgx::loader {
namespace {

constexpr Option kOptions[] = {
    {"--env", "NAME", "Passes a variable."},
    {"--stats", "[=json]", "Prints numbers."},
    {"--quiet", "", "Prints less."},
    kHelpOption,
    kVersionOption,
};
constexpr Operand kOperands[] = {{"IMAGE", "What to run."}};
constexpr Command kOne[] = {{"", "", kOptions, kOperands}};
constexpr Command kTwo[] = {{"make", "Makes things.", kOptions, kOperands},
                            {"take", "Takes things.", kOptions, {}}};
constexpr Paragraph kParagraphs[] = {{"0", "Well."}, {"", ".hidden \"text\" - with\\signs"}};
constexpr ManSection kSections[] = {{"Exit status", kParagraphs}};
constexpr Tool kTool = {"tool", "do things", "Does things.", kOne, kSections};
constexpr Tool kToolOfTwo = {"tool", "do things", "Does things.", kTwo, {}};

// argv as main() gets it.
class Arguments {
 public:
  explicit Arguments(std::vector<std::string> words) : words_(std::move(words)) {
    for (std::string& word : words_) {
      pointers_.push_back(word.data());
    }
  }
  std::span<char* const> span() const { return pointers_; }
  int count() const { return static_cast<int>(pointers_.size()); }
  char** data() { return pointers_.data(); }

 private:
  std::vector<std::string> words_;
  std::vector<char*> pointers_;
};

// "name=value" for each option, then the operands or the complaint.
std::vector<std::string> Walk(const std::vector<std::string>& words) {
  Arguments arguments(words);
  PlainParser parser("tool", kOptions, arguments.span());
  std::vector<std::string> seen;
  for (;;) {
    const auto parsed = parser.Next();
    if (!parsed.ok()) {
      seen.emplace_back(parsed.error().text());
      return seen;
    }
    if (parsed.value().option == nullptr) {
      for (const char* operand : parser.operands()) {
        seen.emplace_back(operand);
      }
      return seen;
    }
    seen.push_back(std::string(parsed.value().option->name) + "=" +
                   std::string(parsed.value().value));
  }
}

using Words = std::vector<std::string>;

TEST(PlainParserTest, OptionsEndAtTheFirstOperand) {
  EXPECT_EQ(Walk({"--env", "A=b", "--quiet", "image", "--quiet", "--nonsense"}),
            (Words{"--env=A=b", "--quiet=", "image", "--quiet", "--nonsense"}));
  EXPECT_EQ(Walk({"--env=A=b", "image"}), (Words{"--env=A=b", "image"}));
  EXPECT_EQ(Walk({"--quiet", "--", "--image"}), (Words{"--quiet=", "--image"}));
  EXPECT_EQ(Walk({"-", "x"}), (Words{"-", "x"}));
  EXPECT_EQ(Walk({}), Words{});
}

TEST(PlainParserTest, OptionalValuesNeedTheEqualsSign) {
  EXPECT_EQ(Walk({"--stats", "image"}), (Words{"--stats=", "image"}));
  EXPECT_EQ(Walk({"--stats=json", "image"}), (Words{"--stats=json", "image"}));
}

TEST(PlainParserTest, ComplainsInOneLine) {
  EXPECT_EQ(Walk({"--bogus"}), Words{"there is no option --bogus; see tool --help"});
  EXPECT_EQ(Walk({"--bogus=1"}), Words{"there is no option --bogus; see tool --help"});
  EXPECT_EQ(Walk({"-x"}), Words{"there is no option -x; see tool --help"});
  EXPECT_EQ(Walk({"--env"}), Words{"option --env lacks its value; write --env NAME"});
  EXPECT_EQ(Walk({"--quiet=1"}), Words{"option --quiet takes no value; leave out what follows it"});
}

TEST(PlainParserTest, NumbersAreWholeAndBounded) {
  EXPECT_EQ(ParseNumber("0", 5).value(), 0u);
  EXPECT_EQ(ParseNumber("5", 5).value(), 5u);
  EXPECT_EQ(ParseNumber("6", 5).error(), Status::kOutOfRange);
  EXPECT_EQ(ParseNumber("99999999999999999999999", ~uint64_t{0}).error(), Status::kOutOfRange);
  for (const char* text : {"", "-1", "+1", " 1", "1 ", "0x1", "1k"}) {
    EXPECT_EQ(ParseNumber(text, 5).error(), Status::kMalformed) << text;
  }
}

CommandLine Parse(const Tool& tool, const Words& words) {
  Words all = {"tool"};
  all.insert(all.end(), words.begin(), words.end());
  Arguments arguments(all);
  return ParseOrExit(tool, arguments.count(), arguments.data(), 3);
}

TEST(CommandLineTest, FindsOptionsAndOperands) {
  const CommandLine line = Parse(kTool, {"--env", "A", "--quiet", "image"});
  EXPECT_EQ(line.Value("--env"), "A");
  EXPECT_TRUE(line.Has("--quiet"));
  EXPECT_FALSE(line.Has("--stats"));
  EXPECT_EQ(line.Value("--stats", "none"), "none");
  EXPECT_EQ(line.operands, Words{"image"});
  EXPECT_EQ(Parse(kToolOfTwo, {"take", "--quiet"}).command->name, "take");
}

TEST(CommandLineTest, EndsTheProgramByItself) {
  const auto exits = testing::ExitedWithCode(3);
  EXPECT_EXIT(Parse(kTool, {"--bogus"}), exits, "tool: .*--bogus.*; see tool --help\n");
  EXPECT_EXIT(Parse(kTool, {"a", "b"}), exits,
              "tool: there is nothing to do with b; see tool --help\n");
  EXPECT_EXIT(Parse(kTool, {"--env"}), exits, "tool: .*; see tool --help\n");
  EXPECT_EXIT(Parse(kToolOfTwo, {}), exits, "tool: a command is missing; see tool --help\n");
  for (const char* flag : {"--help", "--version", "--man"}) {
    EXPECT_EXIT(Parse(kTool, {flag}), testing::ExitedWithCode(0), "") << flag;
    EXPECT_EXIT(Parse(kToolOfTwo, {flag}), testing::ExitedWithCode(0), "") << flag;
  }
  EXPECT_EXIT(Parse(kToolOfTwo, {"make", "--help"}), testing::ExitedWithCode(0), "");
}

TEST(HelpTest, IsMadeFromTheTable) {
  EXPECT_EQ(HelpText(kTool),
            "Usage: tool [OPTION...] IMAGE\n\nDoes things.\n\n"
            "  IMAGE                 What to run.\n\nOptions:\n"
            "  --env NAME            Passes a variable.\n"
            "  --stats[=json]        Prints numbers.\n"
            "  --quiet               Prints less.\n"
            "  --help                Prints this help.\n"
            "  --version             Prints the version.\n");
  EXPECT_NE(HelpText(kToolOfTwo).find("  take                  Takes things.\n"),
            std::string::npos);
}

TEST(HelpTest, LongTextIsWrapped) {
  const std::string long_text(3, 'x');
  std::string help;
  for (int i = 0; i < 40; ++i) {
    help += (i == 0 ? "" : " ") + long_text;
  }
  const Option options[] = {{"--an-option-with-a-long-name", "VALUE", help}};
  const Command commands[] = {{"", "", options, {}}};
  const std::string text = HelpText({"tool", "", "Does things.", commands, {}});
  size_t begin = 0;
  while (begin < text.size()) {
    const size_t end = text.find('\n', begin);
    EXPECT_LE(end - begin, 80u) << text.substr(begin, end - begin);
    begin = end + 1;
  }
}

TEST(ManTest, IsMadeFromTheTable) {
  EXPECT_EQ(
      ManPage(kTool),
      ".\\\" SPDX-License-Identifier: Apache-2.0\n.TH TOOL 1 \"\" NSGX\n.SH NAME\ntool \\- do "
      "things\n"
      ".SH SYNOPSIS\n.B tool\n[OPTION...] IMAGE\n.br\n.SH DESCRIPTION\nDoes things.\n.SH OPTIONS\n"
      ".TP\n.B IMAGE\nWhat to run.\n.TP\n.B \\-\\-env NAME\nPasses a variable.\n"
      ".TP\n.B \\-\\-stats[=json]\nPrints numbers.\n.TP\n.B \\-\\-quiet\nPrints less.\n"
      ".TP\n.B \\-\\-help\nPrints this help.\n"
      ".TP\n.B \\-\\-version\nPrints the version.\n.SH \"EXIT STATUS\"\n.TP\n.B 0\nWell.\n"
      ".PP\n\\&.hidden \\(dqtext\\(dq \\- with\\esigns\n");
}

TEST(ComplaintTest, IsOneCleanLine) {
  const Complaint complaint = Complaint::Of("a\nb\x1b[31m", ' ', 17, "; do it again");
  EXPECT_EQ(complaint.text(), "a?b?[31m 17; do it again");
  EXPECT_EQ(Complaint::Of(std::string(5000, 'x')).text(), std::string(500, 'x'));
}

TEST(OutputTest, FilesAreReplacedWhole) {
  std::string folder = testing::TempDir() + "output_test_XXXXXX";
  ASSERT_NE(mkdtemp(folder.data()), nullptr);
  const std::string path = folder + "/file";
  const std::string contents = "contents";
  const auto bytes = std::as_bytes(std::span(contents));
  ASSERT_TRUE(ReplaceFile(path, bytes, 0644).ok());
  EXPECT_EQ(ReadSmallFile(path, 8).value(), contents);
  EXPECT_NE(ReadSmallFile(path, 7).error().text().find("too large"), std::string_view::npos);
  struct stat status;
  ASSERT_EQ(stat(path.c_str(), &status), 0);
  EXPECT_EQ(status.st_mode & 0777, 0644u & ~022u);
  ASSERT_TRUE(ReplaceFile(path, bytes.first(3), 0600).ok());
  EXPECT_EQ(ReadSmallFile(path, 8).value(), "con");

  EXPECT_FALSE(ReplaceFile(folder, bytes, 0644).ok()) << "a folder is in the way";
  EXPECT_FALSE(ReplaceFile(folder + "/no/file", bytes, 0644).ok());
  EXPECT_FALSE(ReadSmallFile(folder, 8).ok());
  EXPECT_FALSE(ReadSmallFile(folder + "/no", 8).ok());
  EXPECT_EQ(unlink(path.c_str()), 0);
  EXPECT_EQ(rmdir(folder.c_str()), 0) << "nothing was left behind";
}

}  // namespace
}  // namespace nsgx::loader
