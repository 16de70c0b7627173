#include "model/mutation.h"

#include <algorithm>
#include <cstring>
#include <string_view>
#include <tuple>

namespace trireme::model {
namespace {

using std::memory_order;

bool holds_release(memory_order order) {
  return order == memory_order::release || order == memory_order::acq_rel ||
         order == memory_order::seq_cst;
}
bool holds_acquire(memory_order order) {
  return order == memory_order::acquire || order == memory_order::acq_rel ||
         order == memory_order::seq_cst;
}

bool is_weaker(memory_order a, memory_order b) {
  if (a == b || a == memory_order::seq_cst) return false;
  return (!holds_release(a) || holds_release(b)) && (!holds_acquire(a) || holds_acquire(b));
}

// What an operation of this kind may be given, strongest first.
std::vector<memory_order> orders_for(AtomicKind kind) {
  switch (kind) {
    case AtomicKind::kLoad:
      return {memory_order::acquire, memory_order::relaxed};
    case AtomicKind::kStore:
      return {memory_order::release, memory_order::relaxed};
    default:
      return {memory_order::acq_rel, memory_order::acquire, memory_order::release,
              memory_order::relaxed};
  }
}

std::string_view base_name(std::string_view path) { return path.substr(path.rfind('/') + 1); }

const char* name_of(AtomicKind kind) {
  constexpr const char* kNames[] = {"load", "store", "exchange", "fetch", "cas"};
  return kNames[static_cast<size_t>(kind)];
}

bool stands_before(const AtomicSite& a, const AtomicSite& b) {
  return std::tuple(base_name(a.site.file), a.site.line, a.kind) <
         std::tuple(base_name(b.site.file), b.site.line, b.kind);
}

void damage(const AtomicSite& where, const std::string& name, std::vector<Mutation>& all) {
  const auto add = [&](Mutation::Damage damage, Orders orders, const std::string& what) {
    all.push_back({where, damage, orders, name + ": " + what});
  };
  const bool is_cas = where.kind == AtomicKind::kCas;
  for (const memory_order weaker : orders_for(where.kind)) {
    if (!is_weaker(weaker, where.orders.success)) continue;
    const std::string what = is_cas ? "success " : "";
    add(Mutation::Damage::kOrder, {weaker, where.orders.failure}, what + model::name_of(weaker));
  }
  for (const memory_order weaker : orders_for(AtomicKind::kLoad)) {
    if (!is_cas || !is_weaker(weaker, where.orders.failure)) continue;
    add(Mutation::Damage::kOrder, {where.orders.success, weaker},
        std::string("failure ") + model::name_of(weaker));
  }
  if (where.kind == AtomicKind::kLoad) return;
  if (!is_cas) return add(Mutation::Damage::kSkip, where.orders, "skipped");
  add(Mutation::Damage::kSkip, where.orders, "fails");
  add(Mutation::Damage::kCasAlwaysTrue, where.orders, "ignores what it expected");
  add(Mutation::Damage::kCasSaysTrue, where.orders, "skipped, says true");
}

}  // namespace

bool Site::is_shipping() const { return std::strstr(file, "tests/model/") == nullptr; }

// By the last part of the path: a compiler's cache may make some paths relative.
bool Site::operator==(const Site& other) const {
  return line == other.line && base_name(file) == base_name(other.file);
}

const char* name_of(std::memory_order order) {
  constexpr const char* kNames[] = {"relaxed", "consume", "acquire",
                                    "release", "acq_rel", "seq_cst"};
  return kNames[static_cast<size_t>(order)];
}

std::vector<Mutation> mutations_of(std::vector<AtomicSite> sites) {
  std::sort(sites.begin(), sites.end(), stands_before);
  std::vector<Mutation> all;
  std::vector<std::string> names;
  for (const AtomicSite& where : sites) {
    // Some compilers write template arguments behind the name.
    const std::string_view function = where.site.function;
    const std::string name = std::string(base_name(where.site.file)) + ' ' +
                             std::string(function.substr(0, function.find('<'))) + ' ' +
                             name_of(where.kind);
    // The second store of a function is called so.
    const auto before = std::count(names.begin(), names.end(), name);
    names.push_back(name);
    damage(where, before == 0 ? name : name + ' ' + std::to_string(before + 1), all);
  }
  return all;
}

}  // namespace trireme::model
