// SPDX-License-Identifier: Apache-2.0
#include <gtest/gtest.h>

#include <algorithm>
#include <cstring>
#include <nlohmann/json.hpp>
#include <string>
#include <vector>

#include "enclave-loader/image/image.h"
#include "enclave-loader/image/testing/test_elf.h"
#include "enclave-loader/inspect/description.h"
#include "enclave-loader/sign/development_key.h"
#include "enclave-loader/sign/signed_image.h"

namespace nsgx::loader {
namespace {

using Bytes = std::vector<std::byte>;

LaunchConfig SomeConfig() {
  LaunchConfig config;
  config.svn = 3;
  config.product_id = 9;
  config.debug = true;
  config.fixed_args = {"--port", "80"};
  config.allowed_env = {"LANG", "APP_*"};
  config.fixed_env = {"MODE=a\x1b[31mb"};
  config.mounts = {"hostfs:/data:rw"};
  return config;
}

constexpr std::byte kContents[] = {std::byte{'a'}, std::byte{'b'}, std::byte{'c'}};
constexpr std::string_view kHashOfContents =
    "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad";

Bytes SignedFile() {
  const FileToEmbed files[] = {{"/app/abc", kContents, false}, {"/app/tool", {}, true}};
  return SignImage(GoodElf().Build(), SomeConfig(), DevelopmentKey(), 20261121, files).value();
}

std::string TextOf(const Bytes& file) {
  const auto image = Image::Parse(file);
  return DescriptionText("app.elf", Describe(image.value()));
}

nlohmann::json JsonOf(const Bytes& file) {
  const auto image = Image::Parse(file);
  return nlohmann::json::parse(DescriptionJson("app.elf", Describe(image.value())));
}

void ExpectLine(const std::string& text, const std::string& line) {
  EXPECT_NE(("\n" + text).find("\n" + line + "\n"), std::string::npos)
      << "no line \"" << line << "\" in\n"
      << text;
}

TEST(InspectTest, ASignedImageIsDescribed) {
  const std::string text = TextOf(SignedFile());
  ExpectLine(text, "image           app.elf");
  ExpectLine(text, "signature       good");
  ExpectLine(text, "signer          " + std::string(kDevelopmentSigner));
  ExpectLine(text, "                development key: anybody can sign with it");
  ExpectLine(text, "signed on       2026-11-21");
  ExpectLine(text, "product         9, security version 3");
  ExpectLine(text, "attributes      debug");
  ExpectLine(text, "address range   64 GiB");
  ExpectLine(text, "main stack      8 MiB");
  ExpectLine(text, "vCPUs           up to 64");
  ExpectLine(text, "arguments       '--port' '80'");
  ExpectLine(text, "environment     LANG APP_*");
  ExpectLine(text, "                'MODE=a?[31mb'");
  ExpectLine(text, "mounts          hostfs:/data:rw");
  ExpectLine(text, "files           /app/abc, 3 bytes");
  ExpectLine(text, "                  sha256 " + std::string(kHashOfContents));
  ExpectLine(text, "                /app/tool (executable), 0 bytes");
  ExpectLine(text, "host calls      stream_write log");
  ExpectLine(text, "pages           7 with contents, 3 of zeros, 40 KiB in all");
  ExpectLine(text, "entry           0x3010");
  ExpectLine(text,
             "                r-x 0x00003000, 0x8f0 bytes, 0x8f0 of them at 0x3000 in the file");
}

TEST(InspectTest, JsonSaysTheSame) {
  const nlohmann::json json = JsonOf(SignedFile());
  EXPECT_EQ(json["signature"]["state"], "good");
  EXPECT_EQ(json["signature"]["signer"], kDevelopmentSigner);
  EXPECT_EQ(json["signature"]["development_key"], true);
  EXPECT_EQ(json["signature"]["date"], 20261121);
  EXPECT_EQ(json["signature"]["identity"], json["identity"]);
  EXPECT_EQ(json["configuration"]["mounts"], nlohmann::json::array({"hostfs:/data:rw"}));
  const nlohmann::json& file = json["configuration"]["files"][0];
  EXPECT_EQ(file["path"], "/app/abc");
  EXPECT_EQ(file["size"], 3);
  EXPECT_EQ(file["executable"], false);
  EXPECT_EQ(file["sha256"], kHashOfContents);
  EXPECT_EQ(json["configuration"]["svn"], 3);
  EXPECT_EQ(json["configuration"]["args_fixed"], (std::vector<std::string>{"--port", "80"}));
  EXPECT_EQ(json["configuration"]["host_calls"], (std::vector<std::string>{"stream_write", "log"}));
  EXPECT_EQ(json["segments"].size(), 4u);
}

TEST(InspectTest, WhatIsNotSignedSaysSo) {
  const Bytes file = GoodElf().Build();
  ExpectLine(TextOf(file), "signature       none: is not signed");
  EXPECT_EQ(JsonOf(file)["signature"]["state"], "none");
  EXPECT_FALSE(JsonOf(file)["signature"].contains("signer"));

  TestElf empty = GoodElf();
  std::fill_n(empty.SegmentAt(0).data.begin() + kTestConfigAddress, sizeof(nsgx_config),
              std::byte{0});
  ExpectLine(TextOf(empty.Build()),
             "configuration   none: is not signed: its launch configuration is empty");
}

TEST(InspectTest, ABadSignatureSaysWhy) {
  Bytes changed = SignedFile();
  changed[0x3020] ^= std::byte{1};
  const std::string text = TextOf(changed);
  ExpectLine(text, "signature       BAD: the image was changed after it was signed");
  ExpectLine(text, "signed on       2026-11-21 (claimed)");
  EXPECT_EQ(JsonOf(changed)["signature"]["state"], "bad");

  Bytes forged = SignedFile();
  const FilePart part = Image::Parse(forged).value().signature_part();
  forged[part.file_offset + offsetof(nsgx_signature, signature) + 100] ^= std::byte{1};
  ExpectLine(TextOf(forged), "signature       BAD: it was not made with the key that it names");
}

}  // namespace
}  // namespace nsgx::loader
