// See napiswitch.h.

#include "napiswitch.h"

#include <unistd.h>

class NapiSwitch::Worker final : public Napi::AsyncWorker {
public:
  Worker(Napi::Env env, NapiSwitch *owner, bool threaded)
      : Napi::AsyncWorker(env, "tapstack.NapiSwitch"), owner_(owner), threaded_(threaded) {}

  // Also when Node is stopping and it was never begun.
  ~Worker() override {
    owner_->switching_ = false;
    if (owner_->owner_ == nullptr)
      delete owner_;
  }

  void Execute() override {
    done_ = nic_switch_napi(owner_->fd_, owner_->name_.c_str(), threaded_, &owner_->thread_);
  }

  // What failed (the device is gone, a thread cannot be made) leaves everything as it was.
  void OnOK() override {
    if (!done_)
      return;
    owner_->threaded_ = threaded_;
    if (owner_->owner_ != nullptr)
      owner_->owner_->NapiSwitched(threaded_);
  }

private:
  NapiSwitch *owner_;
  bool threaded_;
  bool done_ = false;
};

NapiSwitch::~NapiSwitch() {
  if (fd_ >= 0)
    close(fd_);
}

void NapiSwitch::Release() {
  owner_ = nullptr;
  if (!switching_)
    delete this;
}

void NapiSwitch::Begin(Napi::Env env, bool threaded) {
  if (fd_ < 0 || switching_)
    return;
  switching_ = true;
  (new Worker(env, this, threaded))->Queue(); // it deletes itself
}

void NapiSwitch::KeepOff() {
  if (threaded_ && !switching_)
    nic_keep_off(&thread_, name_.c_str());
}
