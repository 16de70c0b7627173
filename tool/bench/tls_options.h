// The options of `trireme bench` that are about TLS, of every scenario.
//
// Part of the tool, before a run; main thread.
#pragma once

#include <vector>

#include "load/endpoint.h"
#include "load/tls_client.h"
#include "tool/bench/options.h"

namespace bench {

// They point into `tls`.
std::vector<Option> tls_options(load::TlsClientOptions& tls);
// Once the URL is resolved. The error is a sentence: they have no use, or their files cannot be
// read.
tr::Result<tr::Done> check_tls(const BenchOptions& options, const load::Endpoint& server);

}  // namespace bench
