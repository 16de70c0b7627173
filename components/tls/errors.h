// What OpenSSL says about its last failure, in words.
//
// Thread: any; OpenSSL keeps errors for each thread.
#pragma once

#include <string>

#include "trireme/result.h"

namespace trireme { inline namespace v0 { namespace tls {

// Forgets the errors of this thread: what is asked for next is of what comes now.
void forget_errors();
// The reason of the first error since, such as "no start line"; empty if there is none.
std::string last_reason();

// A mistake in what was given.
Error usage(std::string sentence);

// The bytes of a file. The sentence says why they cannot be read. Nothing of them stays elsewhere.
Result<std::string> read_file(const std::string& name);
// Of a secret, before its memory is given back.
void forget(std::string& secret);

// Behind the last block of PEM that could be read: there is none any more, rather than a damaged
// one. Empty; or the reason.
std::string damage_behind_pem();

}}}  // namespace trireme::tls
