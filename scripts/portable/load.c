/* Loads an addon as Node would, under whatever libc this is linked to: every symbol must be found at once, Node's own being
 * among the stubs linked in beside this (verify.mjs). */
#include <dlfcn.h>
#include <stdio.h>

int main(int argc, char **argv) {
  void *addon = argc == 2 ? dlopen(argv[1], RTLD_NOW | RTLD_LOCAL) : NULL;
  if (addon == NULL || dlsym(addon, "napi_register_module_v1") == NULL) {
    const char *why = argc == 2 ? dlerror() : "usage: load ADDON";
    fprintf(stderr, "%s\n", why);
    return 1;
  }
  return 0;
}
