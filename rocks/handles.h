// The types that rocksdb/c.h leaves open, as RocksDB's db/c.cc closes them in every
// release from 7.8 to 10.10. Look there before adding one, here and in .ci/bindings.
#pragma once
#include <memory>

#include <rocksdb/cache.h>
#include <rocksdb/db.h>
#include <rocksdb/memory_allocator.h>
#include <rocksdb/options.h>
#include <rocksdb/table.h>
#include <rocksdb/version.h>

// The release as a number: 10.4 is 1004.
#define TM_RELEASE (ROCKSDB_MAJOR * 100 + ROCKSDB_MINOR)
#define TM_TEXT(x) #x
#define TM_VERSION(major, minor) "RocksDB " TM_TEXT(major) "." TM_TEXT(minor)
static_assert(708 <= TM_RELEASE && TM_RELEASE <= 1010, TM_VERSION(ROCKSDB_MAJOR, ROCKSDB_MINOR)
              " is not known to this program, which works with 7.8 to 10.10: install one of these"
              " (Debian 12 and 13 and Ubuntu 24.04 have one), or compare the handles below with its db/c.cc");
struct rocksdb_t { rocksdb::DB* rep; };
struct rocksdb_options_t { rocksdb::Options rep; };
struct rocksdb_block_based_table_options_t { rocksdb::BlockBasedTableOptions rep; };
struct rocksdb_cache_t { std::shared_ptr<rocksdb::Cache> rep; };
struct rocksdb_column_family_handle_t { rocksdb::ColumnFamilyHandle* rep; };
struct rocksdb_memory_allocator_t { std::shared_ptr<rocksdb::MemoryAllocator> rep; };
