// SHA-256 only, from OpenSSL's libcrypto: one-shot (sha.h) and in pieces (evp.h).
#pragma once
#include <openssl/evp.h>
#include <openssl/sha.h>
