#include "shim.h"

#include "handles.h"

#include <malloc.h>

#include <atomic>
#include <algorithm>
#include <chrono>
#include <climits>
#include <cstdlib>
#include <cstring>
#include <memory>
#include <string>
#include <thread>
#include <vector>

#include <rocksdb/cache.h>
#include <rocksdb/convenience.h>
#include <rocksdb/db.h>
#include <rocksdb/options.h>
#include <rocksdb/sst_file_writer.h>
#include <rocksdb/table.h>
#include <rocksdb/version.h>
#include <rocksdb/write_batch.h>
#include <rocksdb/write_buffer_manager.h>

struct tm_budget { std::shared_ptr<rocksdb::WriteBufferManager> manager; };

struct tm_expiry {
  const uint8_t header;
  std::atomic<int64_t> now{INT64_MIN}, dropped{0};
  rocksdb_compactionfilter_t* filter = nullptr;
};

struct tm_scan {
  std::string end;  // the iterator points into it
  rocksdb::Slice bound;
  std::unique_ptr<rocksdb::Iterator> it;
};

struct tm_file {
  rocksdb::SstFileWriter writer;
  std::vector<std::string> sample;  // every stride-th key
  uint64_t keys = 0, stride = 1;
  tm_file(const rocksdb::Options& o, rocksdb::ColumnFamilyHandle* cf) : writer(rocksdb::EnvOptions(), o, cf) {}

  void note(const rocksdb::Slice& key) {
    if (keys++ % stride != 0) return;
    sample.push_back(key.ToString());
    if (sample.size() < 64) return;
    for (size_t i = 1; i < 32; i++) sample[i] = std::move(sample[2 * i]);
    sample.resize(32);
    stride *= 2;
  }
};

// Exists only in a library that was built with assertions.
extern "C" __attribute__((weak)) void* tm_sync_point() __asm__("_ZN7rocksdb9SyncPoint11GetInstanceEv");

namespace {

char* copied(const std::string& s) {
  char* p = static_cast<char*>(malloc(s.size() + 1));
  memcpy(p, s.c_str(), s.size() + 1);
  return p;
}

char* failure(const rocksdb::Status& s) { return s.ok() ? nullptr : copied(s.ToString()); }

// Calls f with each entry of a buffer; a null value means deleted.
template <typename F>
rocksdb::Status each(const char* at, size_t len, F f) {
  const char* end = at + len;
  while (at < end) {
    uint32_t lengths[2];
    memcpy(lengths, at, sizeof lengths);
    at += sizeof lengths;
    const rocksdb::Slice key(at, lengths[0]);
    at += key.size();
    rocksdb::Status s;
    if (lengths[1] == TM_DELETED) {
      s = f(key, nullptr);
    } else {
      const rocksdb::Slice value(at, lengths[1]);
      at += value.size();
      s = f(key, &value);
    }
    if (!s.ok()) return s;
  }
  return rocksdb::Status::OK();
}

char* append(char* to, const rocksdb::Slice& s) {
  memcpy(to, s.data(), s.size());
  return to + s.size();
}

tm_merging merging(const rocksdb::Options& o) {
  const auto& u = o.compaction_options_universal;
  return {o.level0_file_num_compaction_trigger, static_cast<int>(std::min<unsigned>(u.max_merge_width, INT_MAX)),
          static_cast<int>(u.max_size_amplification_percent)};
}

int64_t big_endian(const char* at) {
  uint64_t n = 0;
  for (int i = 0; i < 8; i++) n = n << 8 | static_cast<uint8_t>(at[i]);
  return static_cast<int64_t>(n);
}

// The filter of tm_expiry. What it drops becomes a deletion wherever an older
// version of the key may lie below.
unsigned char is_expired(void* expiry, int, const char*, size_t, const char* value, size_t len, char**, size_t*,
                         unsigned char* changed) {
  auto x = static_cast<tm_expiry*>(expiry);
  *changed = 0;
  if (len < 9 || static_cast<uint8_t>(value[0]) != x->header) return 0;
  if (big_endian(value + 1) > x->now.load(std::memory_order_relaxed)) return 0;
  x->dropped.fetch_add(1, std::memory_order_relaxed);
  return 1;
}

void keep_state(void*) {}

const char* filter_name(void*) { return "tidemark.expiry"; }

}  // namespace

extern "C" {

tm_budget* tm_budget_new(size_t bytes, rocksdb_cache_t* charged) {
  // It never stalls writers: a database that holds the budget but gets no
  // writes would stall all the others for ever.
  return new tm_budget{std::make_shared<rocksdb::WriteBufferManager>(bytes, charged->rep, false)};
}

size_t tm_budget_usage(const tm_budget* b) { return b->manager->memory_usage(); }

void tm_budget_free(tm_budget* b) { delete b; }

void tm_charge(rocksdb_block_based_table_options_t* o) {
  rocksdb::CacheEntryRoleOptions charged;
  charged.charged = rocksdb::CacheEntryRoleOptions::Decision::kEnabled;
  for (auto role : {rocksdb::CacheEntryRole::kBlockBasedTableReader, rocksdb::CacheEntryRole::kFilterConstruction}) {
    o->rep.cache_usage_options.options_overrides[role] = charged;
  }
}

void tm_configure(rocksdb_options_t* o, const tm_budget* b) {
  o->rep.write_buffer_manager = b->manager;
  o->rep.avoid_flush_during_shutdown = true;
  // A checkpoint flushes the columns together: one edit of the MANIFEST for all.
  o->rep.atomic_flush = true;
}

tm_expiry* tm_expiry_new(uint8_t header) {
  auto x = new tm_expiry{header};
  x->filter = rocksdb_compactionfilter_create(x, keep_state, is_expired, filter_name);
  rocksdb_compactionfilter_set_ignore_snapshots(x->filter, 1);
  return x;
}

void tm_expiry_attach(const tm_expiry* x, rocksdb_options_t* o, uint64_t rewrite_seconds) {
  rocksdb_options_set_compaction_filter(o, x->filter);
  o->rep.periodic_compaction_seconds = rewrite_seconds;
}

void tm_expiry_tell(tm_expiry* x, int64_t now) {
  int64_t latest = x->now.load(std::memory_order_relaxed);
  while (latest < now && !x->now.compare_exchange_weak(latest, now, std::memory_order_relaxed)) {
  }
}

int64_t tm_expiry_dropped(const tm_expiry* x) { return x->dropped.load(std::memory_order_relaxed); }

void tm_expiry_free(tm_expiry* x) {
  rocksdb_compactionfilter_destroy(x->filter);
  delete x;
}

char* tm_override(rocksdb_options_t* o, const char* text, size_t len) {
  rocksdb::ConfigOptions strict;
  strict.ignore_unknown_options = false;
  rocksdb::Options changed;
  rocksdb::Status s = rocksdb::GetOptionsFromString(strict, o->rep, std::string(text, len), &changed);
  if (s.ok()) o->rep = changed;
  return failure(s);
}

char* tm_get(rocksdb_t* db, rocksdb_column_family_handle_t* cf, const char* key, size_t key_len,
             char* buf, size_t cap, int64_t* length) {
  rocksdb::PinnableSlice value;
  rocksdb::Status s = db->rep->Get(rocksdb::ReadOptions(), cf->rep, rocksdb::Slice(key, key_len), &value);
  if (s.IsNotFound()) {
    *length = -1;
    return nullptr;
  }
  if (!s.ok()) return failure(s);
  *length = static_cast<int64_t>(value.size());
  if (value.size() <= cap) append(buf, value);
  return nullptr;
}

char* tm_multi_get(rocksdb_t* db, rocksdb_column_family_handle_t* cf, const char* keys, size_t n,
                   char* buf, size_t cap, size_t* done, size_t* need) {
  std::vector<rocksdb::Slice> slices(n);
  std::vector<rocksdb::PinnableSlice> values(n);
  std::vector<rocksdb::Status> statuses(n);
  for (auto& s : slices) {
    uint32_t length;
    memcpy(&length, keys, sizeof length);
    s = rocksdb::Slice(keys + sizeof length, length);
    keys += sizeof length + length;
  }
  rocksdb::ReadOptions o;
  o.value_size_soft_limit = cap;  // keys beyond it are aborted
  *need = 0;
  db->rep->MultiGet(o, cf->rep, n, slices.data(), values.data(), statuses.data(), true);
  for (*done = 0; *done < n; ++*done) {
    const rocksdb::Status& s = statuses[*done];
    if (s.IsAborted()) break;
    if (!s.ok() && !s.IsNotFound()) return failure(s);
    const uint32_t length = s.ok() ? static_cast<uint32_t>(values[*done].size()) : TM_DELETED;
    const size_t size = sizeof length + (s.ok() ? values[*done].size() : 0);
    if (size > cap) {
      *need = size;
      break;
    }
    memcpy(buf, &length, sizeof length);
    if (s.ok()) append(buf + sizeof length, values[*done]);
    buf += size;
    cap -= size;
  }
  return nullptr;
}

char* tm_write(rocksdb_t* db, rocksdb_column_family_handle_t* cf, const char* entries, size_t len) {
  rocksdb::WriteBatch batch;
  rocksdb::Status s = each(entries, len, [&](const rocksdb::Slice& key, const rocksdb::Slice* value) {
    return value ? batch.Put(cf->rep, key, *value) : batch.Delete(cf->rep, key);
  });
  if (!s.ok()) return failure(s);
  rocksdb::WriteOptions o;
  o.disableWAL = true;
  return failure(db->rep->Write(o, &batch));
}

char* tm_file_new(const rocksdb_options_t* o, rocksdb_column_family_handle_t* cf, const char* path, tm_file** out) {
  auto f = std::make_unique<tm_file>(o->rep, cf->rep);
  rocksdb::Status s = f->writer.Open(path);
  if (s.ok()) *out = f.release();
  return failure(s);
}

char* tm_file_add(tm_file* f, const char* entries, size_t len) {
  return failure(each(entries, len, [&](const rocksdb::Slice& key, const rocksdb::Slice* value) {
    f->note(key);
    return value ? f->writer.Put(key, *value) : f->writer.Delete(key);
  }));
}

char* tm_file_finish(tm_file* f, int64_t* bytes) {
  rocksdb::Status s = f->writer.Finish();
  *bytes = static_cast<int64_t>(f->writer.FileSize());
  return failure(s);
}

void tm_await_flushes(rocksdb_t* db) {
  for (int ms = 0; ms < 10000; ms++) {
    uint64_t pending = 0, running = 0;
    db->rep->GetAggregatedIntProperty(rocksdb::DB::Properties::kMemTableFlushPending, &pending);
    db->rep->GetIntProperty(rocksdb::DB::Properties::kNumRunningFlushes, &running);
    if (pending == 0 && running == 0) return;
    std::this_thread::sleep_for(std::chrono::milliseconds(1));
  }
}

char* tm_file_ingest(rocksdb_t* db, rocksdb_column_family_handle_t* cf, const char* path) {
  rocksdb::IngestExternalFileOptions o;
  o.move_files = true;
  o.write_global_seqno = false;  // it is in the MANIFEST, and the file stays as it is
  return failure(db->rep->IngestExternalFile(cf->rep, {path}, o));
}

tm_column tm_column_now(rocksdb_t* db, rocksdb_column_family_handle_t* cf) {
  tm_column now{};
  rocksdb::ColumnFamilyMetaData column;
  db->rep->GetColumnFamilyMetaData(cf->rep, &column);
  uint64_t largest = 0, entry = 0;
  for (const auto& level : column.levels) {
    const bool many = level.level == 0;  // each file is a run
    now.runs += many ? level.files.size() : !level.files.empty();
    if (!many) largest = std::max(largest, level.size);
    for (const auto& file : level.files) {
      if (many) largest = std::max<uint64_t>(largest, file.size);
      entry = std::max<uint64_t>(entry, file.size / std::max<uint64_t>(1, file.num_entries));
      now.deletions += static_cast<int64_t>(file.num_deletions);
      now.entries += static_cast<int64_t>(file.num_entries - file.num_deletions);
    }
  }
  now.largest_run = static_cast<int64_t>(largest);
  now.entry_bytes = static_cast<int64_t>(entry);
  now.merging = merging(db->rep->GetOptions(cf->rep));
  return now;
}

tm_merging tm_merging_of(const rocksdb_options_t* o) { return merging(o->rep); }

char* tm_file_overwrites(const tm_file* f, rocksdb_t* db, rocksdb_column_family_handle_t* cf, double* share) {
  size_t there = 0;
  for (const auto& key : f->sample) {
    rocksdb::PinnableSlice value;
    rocksdb::Status s = db->rep->Get(rocksdb::ReadOptions(), cf->rep, key, &value);
    if (s.ok()) there++;
    else if (!s.IsNotFound()) return failure(s);
  }
  *share = f->sample.empty() ? 0 : static_cast<double>(there) / static_cast<double>(f->sample.size());
  return nullptr;
}

void tm_file_free(tm_file* f) { delete f; }

tm_scan* tm_scan_new(rocksdb_t* db, rocksdb_column_family_handle_t* cf, const char* start, size_t start_len,
                     const char* end, size_t end_len, int has_end, int cached) {
  auto s = new tm_scan;
  rocksdb::ReadOptions o;
  o.fill_cache = cached;
  if (has_end) {
    s->end.assign(end, end_len);
    s->bound = rocksdb::Slice(s->end);
    o.iterate_upper_bound = &s->bound;
  }
  s->it.reset(db->rep->NewIterator(o, cf->rep));
  s->it->Seek(rocksdb::Slice(start, start_len));
  return s;
}

void tm_scan_seek(tm_scan* s, const char* key, size_t key_len) { s->it->Seek(rocksdb::Slice(key, key_len)); }

char* tm_scan_fill(tm_scan* s, char* buf, size_t cap, size_t* used, size_t* need) {
  char* to = buf;
  *need = 0;
  for (; s->it->Valid(); s->it->Next()) {
    const rocksdb::Slice key = s->it->key(), value = s->it->value();
    const uint32_t lengths[2] = {static_cast<uint32_t>(key.size()), static_cast<uint32_t>(value.size())};
    const size_t size = sizeof lengths + key.size() + value.size();
    if (size > cap - (to - buf)) {
      *need = size;
      break;
    }
    to = append(to, rocksdb::Slice(reinterpret_cast<const char*>(lengths), sizeof lengths));
    to = append(append(to, key), value);
  }
  *used = to - buf;
  return failure(s->it->status());
}

void tm_scan_free(tm_scan* s) { delete s; }

char* tm_tables(rocksdb_t* db, size_t* len) {
  std::vector<rocksdb::LiveFileMetaData> files;
  db->rep->GetLiveFilesMetaData(&files);
  std::string out;
  for (const auto& f : files) {
    const std::string* texts[] = {&f.relative_filename, &f.column_family_name, &f.smallestkey, &f.largestkey};
    for (const auto* t : texts) {
      const uint32_t n = static_cast<uint32_t>(t->size());
      out.append(reinterpret_cast<const char*>(&n), sizeof n);
    }
    uint64_t epoch = 0;  // not known
#if TM_RELEASE >= 710
    epoch = f.epoch_number;
#endif
    const uint64_t numbers[] = {static_cast<uint64_t>(f.level), f.smallest_seqno, f.largest_seqno,
                                f.file_creation_time, f.num_entries, f.num_deletions, epoch};
    out.append(reinterpret_cast<const char*>(numbers), sizeof numbers);
    for (const auto* t : texts) out.append(*t);
  }
  *len = out.size();
  return copied(out);
}

void tm_bound_malloc(void) {
#ifdef __GLIBC__
  mallopt(M_ARENA_MAX, 2);
  mallopt(M_MMAP_THRESHOLD, 128 << 10);  // and it no longer grows
#endif
}

int tm_has_assertions(void) { return tm_sync_point != nullptr; }

char* tm_version(void) { return copied(rocksdb::GetRocksVersionAsString(true)); }

char* tm_compiled_version(void) {
  return copied(std::to_string(ROCKSDB_MAJOR) + "." + std::to_string(ROCKSDB_MINOR) + "." + std::to_string(ROCKSDB_PATCH));
}

}  // extern "C"
