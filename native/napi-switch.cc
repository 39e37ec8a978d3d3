// See napi-switch.h. Who closes the device need not wait for a switch that is on its way: the descriptor
// stays until both have let go.

#include "napi-switch.h"

#include <unistd.h>

class NapiSwitch::Worker final : public Napi::AsyncWorker {
public:
  Worker(Napi::Env env, std::shared_ptr<NapiSwitch> owner, bool threaded)
      : Napi::AsyncWorker(env, "tapstack.NapiSwitch"), owner_(std::move(owner)), threaded_(threaded) {}

  void Execute() override { done_ = pwrite(owner_->fd_, threaded_ ? "1" : "0", 1, 0) == 1; }

  // What failed (the device is gone, a thread cannot be made) leaves everything as it was.
  void OnOK() override {
    owner_->switching_ = false;
    if (done_)
      owner_->threaded_ = threaded_;
  }

private:
  std::shared_ptr<NapiSwitch> owner_;
  bool threaded_;
  bool done_ = false;
};

NapiSwitch::NapiSwitch(int fd) : fd_(fd) {}

NapiSwitch::~NapiSwitch() {
  if (fd_ >= 0)
    close(fd_);
}

void NapiSwitch::Begin(const std::shared_ptr<NapiSwitch> &self, Napi::Env env, bool threaded) {
  if (self->fd_ < 0 || self->switching_)
    return;
  self->switching_ = true;
  (new Worker(env, self, threaded))->Queue(); // it deletes itself
}
