#include "shim.h"

#include "handles.h"

#include <sys/mman.h>

#include <array>
#include <cstdlib>
#include <memory>
#include <mutex>
#include <vector>

namespace {

constexpr size_t kPage = 4096;
// Blocks of up to so many pages are runs of pages. Beyond, malloc maps each by
// itself (tm_bound_malloc); half a page and less would waste too much.
constexpr size_t kMostPages = 32, kLeastBytes = kPage / 2;
// The address space, by the cache: blocks of one number of pages are never
// joined to others, and each number may have its time. It costs nothing.
constexpr size_t kSpace = 8;
// Of the cache, one part in so many may be resident and free.
constexpr size_t kIdle = 16;

// Memory for the blocks of a cache, which come and go for ever, in sizes that
// differ a little. malloc, which fits them in between each other and all that
// is small and stays, keeps up to three times as much as they take. Here they
// have whole pages, and those that are free go back to the system but for a
// few: what is resident is what lives and the idle part.
//
// Compiled without type information, which a release build of RocksDB has not
// of the class either.
class Blocks : public rocksdb::MemoryAllocator {
 public:
  explicit Blocks(size_t cache) : most_idle_(cache / kIdle / kPage), pages_(cache / kPage * kSpace) {
    void* m = mmap(nullptr, pages_ * kPage, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
    if (m == MAP_FAILED) {
      pages_ = 0;  // and malloc does
      return;
    }
    base_ = static_cast<char*>(m);
    madvise(base_, pages_ * kPage, MADV_NOHUGEPAGE);  // or what is given back is not
    lengths_.reset(new uint8_t[pages_]);
  }

  ~Blocks() override {
    if (base_ != nullptr) munmap(base_, pages_ * kPage);
  }

  const char* Name() const override { return "tidemark.blocks"; }

  void* Allocate(size_t size) override {
    const size_t n = (size + kPage - 1) / kPage;
    if (size > kLeastBytes && n <= kMostPages) {
      std::lock_guard<std::mutex> held(mutex_);
      Runs& r = runs_[n];
      if (!r.idle.empty()) {
        idle_ -= n;
        return address(taken(&r.idle));
      }
      if (!r.gone.empty()) return address(taken(&r.gone));
      if (n <= pages_ - used_) {
        const size_t first = used_;
        used_ += n;
        lengths_[first] = static_cast<uint8_t>(n);
        return address(first);
      }
    }
    return malloc(size);
  }

  void Deallocate(void* p) override {
    if (!ours(p)) return free(p);
    const size_t first = page(p), n = lengths_[first];
    std::unique_lock<std::mutex> held(mutex_);
    runs_[n].idle.push_back(first);
    idle_ += n;
    while (idle_ > most_idle_) {
      size_t m = 1;
      for (size_t i = 2; i <= kMostPages; i++) {
        if (i * runs_[i].idle.size() > m * runs_[m].idle.size()) m = i;
      }
      const size_t gone = taken(&runs_[m].idle);
      idle_ -= m;
      held.unlock();
      madvise(address(gone), m * kPage, MADV_DONTNEED);
      held.lock();
      runs_[m].gone.push_back(gone);
    }
  }

  size_t UsableSize(void* p, size_t size) const override { return ours(p) ? lengths_[page(p)] * kPage : size; }

 private:
  // The first pages of runs of one length that are free.
  struct Runs {
    std::vector<uint32_t> idle, gone;  // resident; given back
  };

  static size_t taken(std::vector<uint32_t>* runs) {
    const size_t last = runs->back();
    runs->pop_back();
    return last;
  }

  bool ours(const void* p) const { return p >= base_ && p < base_ + pages_ * kPage; }
  char* address(size_t first) const { return base_ + first * kPage; }
  size_t page(const void* p) const { return (static_cast<const char*>(p) - base_) / kPage; }

  const size_t most_idle_;  // pages
  size_t pages_;
  char* base_ = nullptr;
  std::unique_ptr<uint8_t[]> lengths_;  // of the runs, at their first pages

  std::mutex mutex_;
  size_t used_ = 0, idle_ = 0;  // pages
  std::array<Runs, kMostPages + 1> runs_;
};

}  // namespace

extern "C" void tm_use_blocks(rocksdb_lru_cache_options_t* o, size_t bytes) {
  rocksdb_memory_allocator_t blocks{std::make_shared<Blocks>(bytes)};
  rocksdb_lru_cache_options_set_memory_allocator(o, &blocks);
}
