// The little of C++'s run-time library that the binding uses, so that a prebuilt addon needs nothing but libc: neither a
// libstdc++ of some version, nor one made for musl. Errors end the program, as they do in an addon built without exceptions.

#include <cstdlib>
#include <new>
#include <string>

template class std::basic_string<char>;

void *operator new(std::size_t size) {
  void *memory = std::malloc(size != 0 ? size : 1);
  if (memory == nullptr)
    std::abort();
  return memory;
}
void *operator new[](std::size_t size) { return operator new(size); }
void operator delete(void *memory) noexcept { std::free(memory); }
void operator delete[](void *memory) noexcept { std::free(memory); }
void operator delete(void *memory, std::size_t) noexcept { std::free(memory); }
void operator delete[](void *memory, std::size_t) noexcept { std::free(memory); }

namespace std {
void __throw_length_error(const char *) { abort(); }
void __throw_logic_error(const char *) { abort(); }
void __throw_bad_alloc() { abort(); }
void __throw_bad_array_new_length() { abort(); }
void __throw_bad_function_call() { abort(); }
void __throw_out_of_range_fmt(const char *, ...) { abort(); }
} // namespace std

extern "C" void __cxa_pure_virtual() { std::abort(); }
