#include "shim.h"

#include "handles.h"

#include <memory>
#include <string>

#include <rocksdb/env.h>
#include <rocksdb/file_system.h>

namespace {

using rocksdb::FileOptions;
using rocksdb::IODebugContext;
using rocksdb::IOOptions;
using rocksdb::IOStatus;

// A file that is never synced. RangeSync, which only begins to write, is as it was.
class File : public rocksdb::FSWritableFileOwnerWrapper {
 public:
  using FSWritableFileOwnerWrapper::FSWritableFileOwnerWrapper;
  IOStatus Sync(const IOOptions&, IODebugContext*) override { return IOStatus::OK(); }
  IOStatus Fsync(const IOOptions&, IODebugContext*) override { return IOStatus::OK(); }
};

class Directory : public rocksdb::FSDirectoryWrapper {
 public:
  using FSDirectoryWrapper::FSDirectoryWrapper;
  IOStatus Fsync(const IOOptions&, IODebugContext*) override { return IOStatus::OK(); }
  IOStatus FsyncWithDirOptions(const IOOptions&, IODebugContext*, const rocksdb::DirFsyncOptions&) override {
    return IOStatus::OK();
  }
};

// From this release on RocksDB fails if it cannot record options.
constexpr bool kRecordsOptions = TM_RELEASE >= 1002;

template <typename W, typename T>
IOStatus wrapped(IOStatus s, std::unique_ptr<T>* out) {
  if (s.ok()) out->reset(new W(std::move(*out)));
  return s;
}

bool holds_options(const std::string& path) {
  const size_t slash = path.find_last_of('/');
  return path.compare(slash == std::string::npos ? 0 : slash + 1, 8, "OPTIONS-") == 0;
}

// The file system of databases that do not outlive the process: a job restores its
// state from the object store. So nothing is synced. (Whoever uploads a file makes sure
// that the disk took it.) And options are not recorded: whenever a column or an option
// changes RocksDB would write, read and compare those of all columns, which takes
// seconds where there are hundreds. (Where it insists, it does.)
class Files : public rocksdb::FileSystemWrapper {
 public:
  using FileSystemWrapper::FileSystemWrapper;
  const char* Name() const override { return "tidemark.files"; }

  IOStatus NewWritableFile(const std::string& path, const FileOptions& o, std::unique_ptr<rocksdb::FSWritableFile>* out,
                           IODebugContext* d) override {
    if (!kRecordsOptions && holds_options(path)) return IOStatus::NotSupported("options are not recorded");
    return wrapped<File>(FileSystemWrapper::NewWritableFile(path, o, out, d), out);
  }

  IOStatus ReopenWritableFile(const std::string& path, const FileOptions& o, std::unique_ptr<rocksdb::FSWritableFile>* out,
                              IODebugContext* d) override {
    return wrapped<File>(FileSystemWrapper::ReopenWritableFile(path, o, out, d), out);
  }

  IOStatus NewDirectory(const std::string& path, const IOOptions& o, std::unique_ptr<rocksdb::FSDirectory>* out,
                        IODebugContext* d) override {
    return wrapped<Directory>(FileSystemWrapper::NewDirectory(path, o, out, d), out);
  }
};

}  // namespace

extern "C" void tm_use_files(rocksdb_options_t* o) {
  static rocksdb::Env* env = rocksdb::NewCompositeEnv(std::make_shared<Files>(rocksdb::FileSystem::Default())).release();
  o->rep.env = env;
#if TM_RELEASE < 1002
  o->rep.fail_if_options_file_error = false;
#endif
}
