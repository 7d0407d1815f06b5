// SPDX-License-Identifier: Apache-2.0
#include "enclave-loader/sign/development_key.h"

#include <string>

#include "base/core/check.h"

namespace nsgx::loader {
namespace {

// PKCS#1, for all to read: see development_key.h.
constexpr std::string_view kInsecureKey =
    "MIIG4wIBAAKCAYEAz0E71cJHB6b9ENZvJR8e2vjhfJPmuYTisIedLjy/W9d6Drfy\n"
    "VW3DPl8TX1BnJMIzFAcnsDoJsIPMYcRKqQ8JMcXXQjHZm4ELUlZDa9DI4MLqYNDS\n"
    "pn/5lO7BXSTNpcmedYVK777GQE/ggz9HPqnU9GkSUxwHmlAekmnlOBq+XTQrccYu\n"
    "m9CUC2soPZ5A2UFvsbXQTPtpEcZTte/9SevOcUyYamw7Z1K8nMeUCXh0A7zSrFbx\n"
    "kHeV/2W4yhP9IZHPM68dKKcAF00tRTmxk6Qxt/FkPRN+F3/ZcQGpIEhVF4grB7xq\n"
    "3hISFAz0lsW0AXPnfP3rpEAIwS9ylhgIDnSF/Sr2+Anics+TUDisnFFh8P/RKOXG\n"
    "8j44vgj343HQja/Z6Dxr/YyRQZdV6XLWIq6RP4WbLUTZCm00z+n9DdUHFJah1qNd\n"
    "OqDYbuHwiuWYPHBBqmoj6w0am4TQzdVN7qN6zvMMyqtZRaadXQKRYTWI1WIRFORo\n"
    "XyKArfr687ldkiJBAgMBAAECggGAXH6AdaV+jau4xQruD2MUIiVwfGiFT8Y+ZQog\n"
    "28HApPxFPMxbGkUiHXPQ8Xiwj3cb1JRc4gkEygIH9JnluA09zTi+GIym0P+GTfix\n"
    "nixPef+DGjIX0LbMa+sh4K/MF3Ejhs814kkBsTH0wJ487Xpdz7YUt4KK4hNfkXgx\n"
    "FBjbXD0sJlqL8n3jlDT+gIFf75WEg4rgq3qIKaaZNVklcRgLygSlANnMqRADnPR0\n"
    "3MUlAYYDf2ZN6Gt2RcTf8094aMLpKESjzRQqY0si9WpeqAd/ZBCnR+TaFCvTH67I\n"
    "0mYF6uJUz/+jqXe8WpVqVZqNsSjfWoG8ItBY6Banq7IM7YdHv7wTW4bJbiR8+G6R\n"
    "IkqKkl93g30CVmhz86D1buRmUM36Z9kvTq+TsQCPcFvrc0Vs66Fq9LO6r5Y+oRGK\n"
    "LzMVELkVJ/T8l4ON/jnsEmOgsIQM9QhEDIx/ILOF9BzFnv07TGcetgxow8DnSpA9\n"
    "HrNzCmKbQMB9hqI9uebRKllatF0BAoHBAOrjkRl1ezkDcbYaMsP5hVCNFov0bsls\n"
    "M5b5fmexDXwZhQfaLmWCA2panivsjTQBA25pvFOFwF6uFz+adB1SjfmB6C0wtFUP\n"
    "82IBYUItavglmXSwBGx7MnlYvokxUjMrvUC38KIWVWB8cKaPBDiXOmgxhjbIh3Wo\n"
    "7VpR8MTC3mixmgxVzCxfICVkANPmclK7lyTpwCNiUjGbw7q7I12uaNSC7+EfaG0S\n"
    "LFfLFRLKgW7NZnqyoBBaoXigXtWhbtLXiwKBwQDh4dk1Wwvx/F+vfxwPMVSioUNk\n"
    "1NG/LjE8C7vLyXuOMib1nx+Kzwao+x4F+VUxzX6ivFG57mqfJekKpEtnJxqvClxz\n"
    "O3KN8RpbEa3LnSFK1IeAxjvpGTNljkEOZvXD7nJzP/AVutWkbcwvducRb5CrgmDz\n"
    "+fF7aSBSuLhAsTYVFW8iKWVAq9Mo7ri1vSkY/8BtydVQNHvVlK+9F2uVaequg1d5\n"
    "scNUkvHCoUqZndl8PPMdl7/Xvt72S2NjvkKnRuMCgcAbz/ZOXWrJxW6hcVixe8od\n"
    "T5dr2vWDRByXs9MT1BMUrrDhzSPRQSPGZBR2fvv5PGV7nWl/Okcc7uAx18gH8M5+\n"
    "zLMBJtMzf0ACSseJXndcCpexCWZ8sdm4JJnrBLwG8xblouILTzmsww9TqXuGd+Gi\n"
    "lLqfof7oH6h7GVi485oCK4ViEIaselcEFmNCs/a1dSDgbg0iI3I4DYmPgrkdTpl7\n"
    "EEX3EhD7WTuG6bUFFJVe2VNZE+2AAjs8XUDdatAEhyECgcBAuXF++27J0TIt3HNS\n"
    "2yTQUPs5uk27xWWwOgB+3WX9EdveB9GG+dmDtCkfNxm1YpfF08ZrS6jbn4ZOWVON\n"
    "5EOeIo7pKgCiMZMGw2MUdBrlEU8elC74lRMIJ6H2mYQUt4+t/IU0BMxRCHE4rI57\n"
    "jYdbzckwP891OGNdsLaDOwQvOGwW0tvDkzi3gugEk4ZiNm6SRwJLsC5Hvgo5Waun\n"
    "Lalkhhgbs9cvtcd2qLbym6uFEQXs1d3P2U6ULnf1TcBVpFcCgcEAhxNA7gsMwhB8\n"
    "Qvqp36i+aDQNejR73M0aLIhdwLIbzugsKtsVM9X/OB4HOK/+gyA3KTS7fXU1l7fs\n"
    "wU2JyWL2SlTy9Mu/l3XvoSqpVP9k2Wh8ngWnDEbHiMIjGHU5o85YdUbEoS+R9Dw1\n"
    "+Ft/JY/puHB1Jhk34YLlZwJroDzdvwcNh73QWgBYA/fOXp1T9RXstFWuWVOf6LWC\n"
    "xPt+8GyD4KYxqIDUCOd3euaRBHcOraVBb4eRK4AJmxs5VF29e0JF\n";

}  // namespace

RsaPrivateKey DevelopmentKey() {
  const std::string type = "RSA PRIVATE KEY-----\n";
  Result<RsaPrivateKey> key =
      RsaPrivateKey::FromPem("-----BEGIN " + type + std::string(kInsecureKey) + "-----END " + type);
  CHECK(key.ok());
  return std::move(key).value();
}

}  // namespace nsgx::loader
