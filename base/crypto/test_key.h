// SPDX-License-Identifier: Apache-2.0
#pragma once

// An RSA-3072 key that protects nothing, made with OpenSSL 3.0 for these tests, and OpenSSL's
// signatures with it over the text "message".
namespace nsgx::testing_support {

// PKCS#8.
inline constexpr char kTestKeyPem[] =
    "-----BEGIN PRIVATE KEY-----\n"
    "MIIG/gIBADANBgkqhkiG9w0BAQEFAASCBugwggbkAgEAAoIBgQDK8I1vq9f8EQbr\n"
    "m/4TpivCoWU+4vA4Y4mLXNyU/EKZ99Iqi3ietiVJ3iKUQoTcZRp+sKG3U0z7JInk\n"
    "EddYXIki9ZQe9rXxPTAZsF1kvj12vtf6a/UlSOkBKN7Z42oRfcpxm5btxB/4SBft\n"
    "ivgTGhrr00mtYb8U+0E5oZMbhMKwneD3TTcUbmX+JMprolXUuV661m+JKRYo3b9o\n"
    "drYNAKD4eJQNkPNB6p80meSPj0IoqQo7K63wotFsfTSmXZu/Bbv54AnxcTIjQOlV\n"
    "jTQQJ2nkaDJOBRJmcrZIkN1IVECQN40P9pQmfnsOSXQUPMsMKx1gpngWxEVQGKb+\n"
    "BOolGMWOBx9OrMR4yWo1pkQm+aK/ER/0qBg8Tsp6ClvKB6WsAfWd+Ce0JmdnpgUC\n"
    "MOyc7Ks7wvn4gdBKb1O2eQXvZyAh+HC+h+YurA0kPKwCTXuB1nCA3Mwm/KXWcUY5\n"
    "Lnk1iCVuTDOOI63MoIA4oaeC11Akw2KCas007lI66NtLTXTRlKcCAwEAAQKCAYAF\n"
    "/rUu51SqDZa2vxTyX6ZLSZlEElAmWkpl44hgnlMZWUjMGPKnPZo8ZGOBHbXvDM2L\n"
    "kIw2bi+H+7xXEG/cHF+wuLB3ebJGPhh9qcgYgcYvC9Q1gZrsTwsTDbIHncA0ZBLm\n"
    "6EG9JF4NZ5PNYJ2TcuH4tXUnugt7AzEaErvVxEY8EW3j4FQQNnKs30lbhKAkeJVj\n"
    "z5Hb62rMKkDNRTR7jdkzfdxhyjZlbBjn5OPrmb/Kk7PJq7CnuyeUnN5BS+Kd8f1e\n"
    "GSaQ18TqFLo8m2gqOwV2AJuC8359rsMPUnzQ3eisjw65eBNkHzb0xx0zp71Bavma\n"
    "qlvTTTYmuHI+5WjOPhUFXiQAjh90u4axf6fqOdPm5qYBrtRTzc2E/3fIMC6HCyWi\n"
    "q/M6b/60xT05683XQzsH0G7Yrv2O2wWLlvWkWzis7BxkBLylY9V/SDgqLdJYZylP\n"
    "wgU4OX0Iq4W3sJU2EWLRZGsy/vRkzQC7rPUUsJvNa6TpHX11QnS6U/5e/3epdIEC\n"
    "gcEA7r9T3n7CfCQBrnHU/klkEmPifXBZFakIXcNOlLqOFRsoKg2x6Mstip0D0APj\n"
    "TzNcpoPcI/HX5hd4cgn/FkzTnyHLGJeB8vth2UUlURN9hPetS9Gd1Mm6CwmGpXdp\n"
    "i9RGEUonXz616WeYCTjESI8ZOTBaYpmKMb8m6j2IFViFeGXEQNp7GbVgWSbhCuvm\n"
    "p5RQfbLqTfxX4TfHZRejkjGXVqqV9fCvoLEzcj4PmMMSU5vP7x8SBZOugFduqm6b\n"
    "YQTrAoHBANmaziQXweun+Gbju2pOMh1hM9cPPnMAluXWh+kwxCNYQetbjAAAHnDj\n"
    "L18Ss8AcYMZOLj3K1JBF0HwocfrYNS3y5l4AGfJegVlskeR6ff128p2erNVBL8x+\n"
    "FbecCoJWUr8/NGEsTWzL6ej3IZOx5S18lerSSpzXypnq7pp4yCGI+sE7FR1c5571\n"
    "EpVEa9TFEmc4CLD5QxgPZQPq0Ib2LGcSMtQ2P0MF10OFWDm5M3/F8ScT2o6ScWCO\n"
    "KIfElI6wNQKBwQDoucB7hnz2nfK1pWjGZ6wQ8ST6ueVc4+Sv4Y5cFG4jzNEeDTN7\n"
    "hXLjR6NLxj5yGdMazjZtI3YdaIuUPoJVrpYq7LoZQrb9sGX1cR2rJqCYWQaofbCo\n"
    "l+uujp6d9QUBtO6INAylH3AcEUt20cskH7mqsaOpsZmwXHEGrOxWQm/4qNrhjReq\n"
    "O8+rl+aOyt2QRVcg8KLNWkof1EueE6jy/TxU0vxTPUc2EQXhOvXhJ2ZZ8eyDX3ol\n"
    "zYuwt4m8wQzdSfkCgcEAvU41g6S/aXnJWglIZCT+6BxF8xQp6fZbUDwgJLfuCimf\n"
    "v1b3JpDz6pVaAsXMZpbJgftFszAfWBvEUh8FeYpaSU0FKEXCTN32fYs8KJ5/uN+g\n"
    "FYuTJDr/kFEoJ4Gyisz6U7JyqQ7XlIyZQ7irF0gt7jJyYcTscCIy+VAun2fwA2yd\n"
    "aTkzF0ZZoinmLsFFZebEKdPPi9ZtjiLmaFABdUf4PPrSCVfgFTihmvYIWL9LlB7p\n"
    "umtFOb8grzU9AU/9RVz5AoHASR36tNajGoDpF3F6k4wpDcdWQ0vItIgUvpPz9+Xw\n"
    "EN3DsvuCjlHyBa9Qvfybwj3Lva5mBn3SrT8Ne4TPzmQDuqrKAgasG+cHj8lv9E3J\n"
    "pr9oUaNddzspd/EwrAQ1psaeuSan65YQTejFaj8y8bf/c7Ry5Vvm4U32nfsj+eJC\n"
    "BAy/yvFg//F4G4XFhwbWCnHaVIKZeGY1vhT8eOj3sJ1xlB2UqvuV0w0IuDCbJmyI\n"
    "y6Uj8CRaECVOpdytWowVOGWD\n"
    "-----END PRIVATE KEY-----\n";

inline constexpr char kTestKeyModulus[] =
    "caf08d6fabd7fc1106eb9bfe13a62bc2a1653ee2f03863898b5cdc94fc4299f7d22a8b789eb62549de22944284dc"
    "651a7eb0a1b7534cfb2489e411d7585c8922f5941ef6b5f13d3019b05d64be3d76bed7fa6bf52548e90128ded9e3"
    "6a117dca719b96edc41ff84817ed8af8131a1aebd349ad61bf14fb4139a1931b84c2b09de0f74d37146e65fe24ca"
    "6ba255d4b95ebad66f89291628ddbf6876b60d00a0f878940d90f341ea9f3499e48f8f4228a90a3b2badf0a2d16c"
    "7d34a65d9bbf05bbf9e009f171322340e9558d34102769e468324e05126672b64890dd48544090378d0ff694267e"
    "7b0e4974143ccb0c2b1d60a67816c4455018a6fe04ea2518c58e071f4eacc478c96a35a64426f9a2bf111ff4a818"
    "3c4eca7a0a5bca07a5ac01f59df827b4266767a6050230ec9cecab3bc2f9f881d04a6f53b67905ef672021f870be"
    "87e62eac0d243cac024d7b81d67080dccc26fca5d67146392e793588256e4c338e23adcca08038a1a782d75024c3"
    "62826acd34ee523ae8db4b4d74d194a7";

// PSS, SHA-256, MGF1 with SHA-256, 32 bytes of salt.
inline constexpr char kTestSignature[] =
    "bde66e5d3f45573d7c6a2ec2272d70d9cdd6acf534fd8b088ff550324d95079cda0592bed747bdd60c1c52ade152"
    "002f7689284192c575fcc8bbb7a18eccbb92775cc18f8ca05d63a4c1b4aa60fcbe7b38fff696c0eae7156f75c4dd"
    "27898403280a7f9a5e7293a14895ab263e3f9acb87ecbcf1e61dd46a835759fd59df2db389178ce7859e0725995b"
    "97242b4add03a2d61c9b86939b4e4403d45e0af70c19c7969541d33b1e751f566d2a30730b05f0711b4999281f86"
    "036cc608daef9aa64c85ca86867699b103ef7d57dda5a834887aa024c46c33f66e8f775d9d57e29ee5e53c342eda"
    "bfd5c57acd4aec159842cafb341f78191abd0e694f859f0e18abc1e070b39f6917d9cc4cf503b9d705f56b8aede3"
    "a00d3a66796df2437e7610b7be177d9ff06c9520ef11a257dc4768bda4451e7afc63dff8abb734e08ec48619ea02"
    "f43a00999a23377f4481a7e4361549b2765f07c6f5e2dc2d163dad9a35106a8e46e147c45b74332d8c2a6cba1013"
    "e4847a466cb3be6816e1c49f3c788945";

// The same with 20 bytes of salt.
inline constexpr char kTestSignatureShortSalt[] =
    "a630d9ada499f7f8c0c3cbdbc1e5c146bd0875d51fa6c85e8a25b1afba47a4de9c69b05d24c4ed6294eb5dad7388"
    "fe169b49e03ece9584050dfc30bc13fcb052d5c0a727f802051f29f33646b8008f13eab5273d41d9079f7045dea3"
    "09b91e012ae9775ae2bade5510e79666550855b4914856a699139357170fd9ad6920df9c422e564a6cc2d171eb22"
    "f33d892d2d98432a7d94677f2a9a58ca362746726e1e0324cdcaa649e25157694165b5c9f7eb02fab4dabdc2d9f2"
    "6db1d1a3362e16ec1ed51037785d82f54da44d2f6c225d80e5c010f31dd249733a286072836536c9fce67d011d8c"
    "90c7e7bdbc1cb37c2dccd04a7e616d68a436426348585c679194027e010271c1918e60d03a13051449e029063eb4"
    "e051a848cd4e64e1aa01164814b18cf8ced300c0490f23b2f020f4f62ffa7e8d6597bd5dcaea01ac7ee7c478134b"
    "055ed3a565924fa181e5aa1c5d26bb5169242ed8c492e1ee0e3169e828c229bcec1e42e368f11139fbae6aba1a8e"
    "8637571335e50f103850b1e87018669f";

// PKCS#1 v1.5, SHA-256.
inline constexpr char kTestSignaturePkcs1[] =
    "1d1576146f6e15bb883a444e482384dfd37fba574b1da961e903bde016e8c1f23197769964846dd3d59341672231"
    "65cca39f542006cef97bd23ab9721501aab5f226ac7c5e256e014286eea88b01ef40c5d6d3a7bd11ef26df251edf"
    "e8409cc0eb1dc36ef6f9798233c2e38ef86de3f5aaf4ac6d741e7d08eb1b429276a335cfce4dbad43083ba711b35"
    "4dd0410bfd5d64fa68170d31b6e1a5ab26764b4a023705597ac1cd8e2369e73e5aef9375a8aaf7e8b32aa586c77b"
    "8a7c4d1a3597a229541bde8a19c2616c373fe393050798aa966fbbe27dacc0aa1e6463c394398ba4b7fb103e6501"
    "7a0e2122d54d669e25538d876bab147d21884e2feb5bd4610aa77f9b212126e7ab65765497be73a5624c1fc3e299"
    "f7beaa61b59576602683354d9aa5c908c5befc3298b91dbbb28fb03e3ee7b29081809c7ab975d3f3e02629f7a22c"
    "5e263b2a850ea5c676fa107f9ecbbabba437876877839d17979484de15a96ceb1cced173f2db4534eaa0efa812ea"
    "a3bbbf2fabe7404ccdb3e67fdd0b0344";

// Keys that are not for us, made in the same way: ECDSA P-256,
inline constexpr char kOtherKeyEc[] =
    "-----BEGIN PRIVATE KEY-----\n"
    "MIGHAgEAMBMGByqGSM49AgEGCCqGSM49AwEHBG0wawIBAQQgL9MJ7sR65sn7zaa0\n"
    "IbSmjVP+9JM7U+tt43rpe+nrU9KhRANCAARJYIHTRBU12DwrLLbIsopFDNMTx1S4\n"
    "SLLKfd5veT2CWIryyBs5uUIBKjtzFsVjJ/f7DWZ1Hc+9ljqGkDkBYbvD\n"
    "-----END PRIVATE KEY-----\n";

// RSA-1024,
inline constexpr char kOtherKeySmall[] =
    "-----BEGIN PRIVATE KEY-----\n"
    "MIICdwIBADANBgkqhkiG9w0BAQEFAASCAmEwggJdAgEAAoGBAL2H43hDa7HRksn2\n"
    "uI7D8yRqNh3grzQO2eep6KsLlefBrSJvkpgB48CfNVy8Y6XhG3DT4wPEMX6Khq79\n"
    "+MlcKnjOQUz8XK6fMdjHQYwXA1Wa/APzZYw6Y9v4fLYzABB9c5vAxb9Gm165+sdB\n"
    "JEc/i+q9okCgM4pLVdDEh/Dzx7jfAgMBAAECgYBK5iergCFQHT0AGUMoECHHEz4d\n"
    "oow6a2ALn+a1qZdtBenQwPzSm3SQy5n/8ucCR6pbdTCybVcN5dqBzxYBJS4W7xKV\n"
    "0z+GZbxc/CbmifkViTAPhyREUo/TSJzfZBgay93FGc5DcCargKisaHlndfgqU4xy\n"
    "SsA5rxkxkotLOf7Q2QJBAOvVhB73aJ2aUBXQ8wS8wK/hreHCaESTVsGOOCxvq5cc\n"
    "Vdm0h45XtmPS5mLLyea6rZD3+IaVAL71MhxTN3Ty9mUCQQDNvMeXY8ZGhO8aFC4w\n"
    "5FMBaAqePLZQBP01bXgdcR7ZJjnqtge+9war5IO3DnHyRNDr9Agnq4Vz9DMJYd6e\n"
    "c4vzAkEA3fY9va96RSthyMa6k3Dboi40K9F/tVs/QjkK4bfQtg6zNo3VL8GaJmXu\n"
    "9Hl9c62rglABFxnSc+fu2/3uqiGqiQJAHQAdSlPAITSf15c8o5urr6kQxhlcwY7S\n"
    "enOB2PSXGpju1QzvrpV3lUdS4bzhhvr4UCpH8/+TgjLL9uiazs8OzQJBAJ1guwcF\n"
    "7J3Scllcz2dOqp7OsQPOxZ0HJs1m8XyZZcCCOJ9yJ29gE0Nfa6/XvSRjT9qdvDaU\n"
    "vBexbQAG/iwV3lc=\n"
    "-----END PRIVATE KEY-----\n";

// and RSA-3072 with the exponent 3.
inline constexpr char kOtherKeyExponent[] =
    "-----BEGIN PRIVATE KEY-----\n"
    "MIIG/gIBADANBgkqhkiG9w0BAQEFAASCBugwggbkAgEAAoIBgQDKH6wha2Dgazq+\n"
    "5FDKKDejn74300Q0q0sSGLQyaCHN3e6l0Q03LMiclgyWq0prd/3VbvZwso+LAG/3\n"
    "EPJX9jRWAofWW5z5GC0xRKkVXNpQBtnDEI6yOP6UNizu04YRB88tM+rPdWeb/vML\n"
    "/vDo8phDUv67VouPs2NfGp3/XETWgW4G1ClyKuvbxEhDZQZ4qYJ+MREpVOOsYmsL\n"
    "7cqYXBpZybSmQMydex6A7uWowGVC4nDjrV2TuH7gJ7JznjvUbv2/ez+pFmVEcmrH\n"
    "lNMp47QF391sWyPksCgZcyo21+QznSEjmxwwwoTY8JGiMXJY+iAGKMwHmgYm6Xka\n"
    "7e96gIRBYlSyN+0NTfDqnyTP5kbGH1YZTXbUCpmhxLpEq5UoFfbtcZs6gdI4xtQ1\n"
    "r9bla+w2KTk/F4EliJlBTgmZ7UNH/c2XGApVi+M5Bopb/g/zUZXS/mMO93AcHaUj\n"
    "12T6DKr196jbtbY4d3J6fymC2odR/tDEuDqtrdBD6sY3fCjUeZkCAQMCggGBAIa/\n"
    "yBZHleryJyntizFwJRe/1CU3gs3Hh2FlzXbwFok+nxk2CM9zMGhkCGRyMZz6qTj0\n"
    "pEshtQdVn/oLTDqkIuQBr+Q9E1C6yMuDG2OTPDVZ5oILCcwl/w15c0niWWCv33N3\n"
    "8d+jmmf/TLKp9fChuteMqdI5sl/M7OoRvqo9gzmrnq84G6Fx8pKC2teYrvsbrFQg\n"
    "thuN7R2W8gfz3GWSvDvbzcQrMxOnaatJ7nCAQ4HsS0Jzk7fQVJVvzE0UJ+L0p/lW\n"
    "7IWLfaGQlQv/hDm375bk2fYMfl//b43sqm7w4DZ1k28Qac5M4VvR143+Uwaj7eZu\n"
    "nNhQsAQEIfWo/BnY5WbqTtX3OP/AzPIc19b31wc/AVjTbgKa2zJp/w4mfxVeWNoj\n"
    "QAiTNMKbGapoLEDzWjZppERPWkGnYDDFWrkp6FmSWxrDo1+JSJK/PcL0MnVD5148\n"
    "fZyUxo9p0fLgtxOrXyXy/Qa/FjMa1PoPAdWcmDfxhF3bReruaGN5LxFmvDdcCwKB\n"
    "wQD8vyp5W37vOy4oK8mleAunsX7zMGzSy0MIx66N0pDY/1gUjYoHi5wuMp8J/riQ\n"
    "vr8ngpDVTSIznuLvMd/glHd/BpRL4mL5sMYHNRJXHtCyzUQiRtvyCPsRIoHYn+o8\n"
    "hdE52gCO5NfqCPqfxEsfjGp9CAWrBjXqmJLpgPrJKF05rDt+lhnGyvM68hwBzidS\n"
    "4Yl1FXJII9GYb/6uqIr6qjXeiDeYtF0uGZZz8KHQ8noes9h3+GX38KHiR0fFkVR2\n"
    "zuUCgcEAzLmyZ2mp4t5dDWnDLdfA+9cXiBf5geW9u8h8ApwDCO1r6HTzc8OWoQMv\n"
    "QzU9PkV8BQBP7dPb7URjOz6Vcya0p/xKJWK0k/v3eD7OtlOziHOP8cl13hlVxQM5\n"
    "1tHsS4KgbGK6nsArKtUzFk9JZHJ6Z4K9LZpD2HT2DqUGuwYJh/YJcFx7f3MDIfWR\n"
    "tcGc8IoxUI40W/R0rI7riN3HYeFmXoL1uOK3vbWcj3gE8X0o32Cxv/br1VeRzG23\n"
    "19C6CqClAoHBAKh/caY8/0ondBrH28OlXRp2VKIgSIyHggXadF6MYJCqOrheXAUH\n"
    "vXQhv1v/JbXUf2+sYI4zbCJp7J92lUBi+lSvDYfsQfvLLq94tuS/NcyI2BbZ5/aw\n"
    "p2DBq+W/8X2ui3vmqwnt5UawpxUth2pdnFNarnIEI/G7DJurUdtwPiZy0lRkES8x\n"
    "93yhaAE0GjdBBk4OTDAX4RBKqcnFsfxxeT8FemXNk3QRDvf1wTX2/BR35aVQQ/qg\n"
    "a+wvhS5g4vnfQwKBwQCIe8xE8RvslD4I8SzJOoCn5LpauqZWmSkn2v1XEqywnkfw\n"
    "TfeigmRrV3TXeNN+2P1Yqt/z4pKeLZd81GOiGc3FUtwY7Hhip/pQKd8kN80Fol/2\n"
    "hk6UEOPYrNE54UgyVxWdlycUgBzHOMy5ijDtoabvrH4eZtflo060bgR8rrEFTrD1\n"
    "kvz/ogIWo7Z5K731sXY1tCLn+E3IX0ewk9pBQO7prKPQlyUpI720+q32U3CU6yEq\n"
    "pJ045QvdnnqP4HwHFcMCgcEArM/BIF3mQMqhY6J6y19QTaJxCn34rewQ7frpYFK1\n"
    "3oHPJvn5BblM0dObVTQR/1BFK0FqGXgX/OLMyjHShG5Ex6vNpiRLJ725g8XcmMKi\n"
    "XtwuHe4pw17pex0VlooIBnrmjAqL/lnE4Vr4X+JhtadLQQlGCulAF4K46BW91ANV\n"
    "nQTcfwVlwsLVPwxhNaMiNjFUpuemoRpoF5F/v2GJ+dqGWl0Gkf5sn8+utCsueyV6\n"
    "8EEdjD8d2W2D/f/nu35sBKcA\n"
    "-----END PRIVATE KEY-----\n";

}  // namespace nsgx::testing_support
