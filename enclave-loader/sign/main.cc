// SPDX-License-Identifier: Apache-2.0
// nsgx-sign: makes keys, and turns a linked program into a signed enclave image.
#include <unistd.h>

#include <array>
#include <cstdlib>
#include <ctime>
#include <string>

#include "base/core/bytes.h"
#include "base/core/check.h"
#include "base/core/hex.h"
#include "base/core/scope_exit.h"
#include "base/crypto/rsa_key.h"
#include "base/crypto/secure_zero.h"
#include "enclave-loader/cli/command_line.h"
#include "enclave-loader/cli/output.h"
#include "enclave-loader/cli/plain_parser.h"
#include "enclave-loader/image/mapped_file.h"
#include "enclave-loader/sign/development_key.h"
#include "enclave-loader/sign/files_to_embed.h"
#include "enclave-loader/sign/launch_config.h"
#include "enclave-loader/sign/public_key.h"
#include "enclave-loader/sign/signed_image.h"

namespace nsgx::loader {
namespace {

constexpr int kFailure = 1;
constexpr size_t kTextLimit = size_t{1} << 20;  // of keys and configurations

constexpr Option kKeygenOptions[] = {
    {"--out", "FILE", "Where the private key goes (PEM, readable by its owner alone)."},
    {"--public", "FILE",
     "Where the public key goes, for nsgx-run --signer and for verifiers (PEM)."},
    {"--development", "",
     "Writes the key that everybody has. Images that it signs are worth no trust; it is for builds "
     "and tests."},
    kHelpOption,
};
constexpr Option kSignOptions[] = {
    {"--key", "FILE", "The private key (PEM, RSA-3072)."},
    {"--in", "FILE", "The program, linked with the library OS."},
    {"--out", "FILE", "Where the signed image goes. May be the same as --in."},
    {"--config", "FILE",
     "The launch configuration, see nsgx.toml(5). Without it, every value is the default."},
    {"--embed", "HOST=PATH",
     "Makes the file HOST part of the image: measured with it, and shown to the program read-only "
     "as PATH. Can be repeated; adds to the configuration's files.",
     true},
    {"--date", "YYYYMMDD",
     "The date in the signature. Without it, that of the environment variable SOURCE_DATE_EPOCH, "
     "or else today's (UTC)."},
    kHelpOption,
};
constexpr Option kSignerOptions[] = {
    {"--key", "FILE", "A public or private key (PEM)."},
    kHelpOption,
};
constexpr Command kCommands[] = {
    {"keygen", "Makes a key.", kKeygenOptions, {}},
    {"sign",
     "Writes configuration and signature into an image. Both replace what is there.",
     kSignOptions,
     {}},
    {"signer",
     "Prints who a key stands for: the SHA-256 of its modulus, as in reports and policies.",
     kSignerOptions,
     {}},
};

constexpr Paragraph kExitStatus[] = {{"0", "Done."},
                                     {"1", "Not done; one line on standard error says why."}};
constexpr Paragraph kExamples[] = {
    {"",
     "nsgx-sign keygen --out key.pem --public key.pub\nnsgx-sign sign --key key.pem --config "
     "app.toml --in app --out app.elf\n"
     "nsgx-run --signer key.pub app.elf"},
};
constexpr Paragraph kSeeAlso[] = {{"", "nsgx-run(1), nsgx-inspect(1), nsgx.toml(5)"}};
constexpr ManSection kSections[] = {
    {"Exit status", kExitStatus}, {"Examples", kExamples}, {"See also", kSeeAlso}};

constexpr Tool kTool = {
    .name = "nsgx-sign",
    .summary = "sign enclave images",
    .description =
        "Turns a linked program into an enclave image: fills in its launch configuration, measures "
        "it, and signs the "
        "measurement. The same input gives the same bytes.",
    .commands = kCommands,
    .sections = kSections,
};

// Returns the value of an option that the command cannot do without.
Result<std::string, Complaint> Required(const CommandLine& line, std::string_view option) {
  if (!line.Has(option)) {
    return Complain("option ", option, " is missing; see ", kTool.name, " ", line.command->name,
                    " --help");
  }
  return line.Value(option);
}

// Puts the name of the file in front of what is wrong with its contents.
auto In(const std::string& path) {
  return [&path](const auto& problem) { return Complaint::Of(path, ": ", problem); };
}

Result<RsaPrivateKey, Complaint> ParseKey(const std::string& path, std::string_view pem) {
  return RsaPrivateKey::FromPem(pem).transform_error([&](Status status) {
    return Complaint::Of(path, ": is no ",
                         status == Status::kUnsupported ? "RSA key of 3072 bits with exponent 65537"
                                                        : "private key in PEM",
                         "; make one with nsgx-sign keygen");
  });
}

Result<RsaPrivateKey, Complaint> ReadKey(const std::string& path) {
  return ParseKey(path, TRY(ReadSmallFile(path, kTextLimit)));
}

// The kernel's random numbers.
class KernelEntropy final : public EntropySource {
 public:
  Result<void> Fill(std::span<std::byte> seed) override {
    if (getentropy(seed.data(), seed.size()) != 0) {
      return Error(Status::kEntropyFailure);
    }
    return {};
  }
};

Result<RsaPrivateKey, Complaint> NewKey() {
  const auto to_complaint = [](Status status) {
    return Complaint::Of("no key could be made (", status, "); try again");
  };
  KernelEntropy entropy;
  Drbg drbg;
  TRY(drbg.Seed(entropy, BytesOf("nsgx-sign keygen")).transform_error(to_complaint));
  return RsaPrivateKey::Generate(drbg).transform_error(to_complaint);
}

uint32_t DateOf(time_t seconds) {
  tm parts = {};
  gmtime_r(&seconds, &parts);
  return static_cast<uint32_t>((parts.tm_year + 1900) * 10000 + (parts.tm_mon + 1) * 100 +
                               parts.tm_mday);
}

Result<uint32_t, Complaint> Date(const CommandLine& line) {
  if (line.Has("--date")) {
    const Result<uint64_t> number = ParseNumber(line.Value("--date"), 99991231);
    const uint64_t date = number.ok() ? number.value() : 0;
    if (date < 20000101 || date / 100 % 100 < 1 || date / 100 % 100 > 12 || date % 100 < 1 ||
        date % 100 > 31) {
      return Complain("--date ", line.Value("--date"), " is no date; write it as 20261121");
    }
    return static_cast<uint32_t>(date);
  }
  if (const char* epoch = std::getenv("SOURCE_DATE_EPOCH")) {
    // Up to the year 9999, as the signature's format has it.
    const Result<uint64_t> seconds = ParseNumber(epoch, 253402300799);
    if (!seconds.ok() || DateOf(static_cast<time_t>(seconds.value())) < 20000101) {
      return Complain(
          "SOURCE_DATE_EPOCH is no time since the year 2000 in seconds; correct it or give --date");
    }
    return DateOf(static_cast<time_t>(seconds.value()));
  }
  return DateOf(std::time(nullptr));
}

Result<void, Complaint> Keygen(const CommandLine& line) {
  const std::string out = TRY(Required(line, "--out"));
  const RsaPrivateKey key = line.Has("--development") ? DevelopmentKey() : TRY(NewKey());
  std::array<char, RsaPrivateKey::kMaxPemSize> buffer;
  ScopeExit wipe([&] { SecureZeroObject(buffer); });
  const Result<std::string_view> pem = key.ToPem(buffer);
  CHECK(pem.ok());
  TRY(ReplaceFile(out, BytesOf(pem.value()), 0600));
  if (line.Has("--public")) {
    TRY(ReplaceFile(line.Value("--public"), BytesOf(PublicKeyPem(key.modulus())), 0666));
  }
  return {};
}

Result<void, Complaint> Sign(const CommandLine& line) {
  const RsaPrivateKey key = TRY(ReadKey(TRY(Required(line, "--key"))));
  const std::string in = TRY(Required(line, "--in"));
  const std::string out = TRY(Required(line, "--out"));
  const uint32_t date = TRY(Date(line));
  LaunchConfig config;
  FilesToEmbed files;
  if (line.Has("--config")) {
    const std::string path = line.Value("--config");
    const std::string toml = TRY(ReadSmallFile(path, kTextLimit));
    config = TRY(ParseLaunchConfig(toml, path));
    for (const std::string& text : config.files) {
      TRY(files.Add(text, path.substr(0, path.rfind('/') + 1)).transform_error(In(path)));
    }
  }
  for (const std::string& text : line.Values("--embed")) {
    TRY(files.Add(text, ""));
  }
  const MappedFile file = TRY(MappedFile::Open(in.c_str()).transform_error(In(in)));
  const auto image =
      TRY(SignImage(file.bytes(), config, key, date, files.files()).transform_error(In(in)));
  return ReplaceFile(out, image, 0777);
}

// Reads who a key file stands for, whichever half of the key it holds.
Result<Sha256::Digest, Complaint> ReadSigner(const std::string& path) {
  const std::string pem = TRY(ReadSmallFile(path, kTextLimit));
  if (pem.find("PRIVATE KEY") != std::string::npos) {
    return Sha256::Hash(TRY(ParseKey(path, pem)).modulus());
  }
  return SignerOfPublicKey(pem).transform_error(In(path));
}

Result<void, Complaint> Signer(const CommandLine& line) {
  const Sha256::Digest signer = TRY(ReadSigner(TRY(Required(line, "--key"))));
  std::array<char, 2 * Sha256::kDigestSize> text;
  const std::string printed(EncodeHex(signer, text).value());
  if (!WriteAll(STDOUT_FILENO, printed + '\n')) {
    return Complain("standard output cannot be written to; redirect it elsewhere");
  }
  return {};
}

Result<void, Complaint> Run(const CommandLine& line) {
  if (line.command->name == "keygen") {
    return Keygen(line);
  }
  return line.command->name == "sign" ? Sign(line) : Signer(line);
}

int Main(int argc, char** argv) {
  // The page about configurations is made from the table that this program reads them by.
  if (argc == 2 && std::string_view(argv[1]) == "--man=nsgx.toml") {
    return WriteAll(STDOUT_FILENO, LaunchConfigManPage()) ? 0 : kFailure;
  }
  const auto done = Run(ParseOrExit(kTool, argc, argv, kFailure));
  if (!done.ok()) {
    PrintComplaint(kTool.name, done.error());
    return kFailure;
  }
  return 0;
}

}  // namespace
}  // namespace nsgx::loader

// What the standard library throws, for want of memory, ends the program.
int main(int argc, char** argv) { return nsgx::loader::Main(argc, argv); }
