/* Included before everything in prebuilt addons for glibc: asks for the oldest version of what newer ones have only moved, so
 * that an addon made on a new system loads on one as old as Node's own binaries allow (glibc 2.28). */
#if defined(__x86_64__)
#define FIRST "GLIBC_2.2.5"
#elif defined(__aarch64__)
#define FIRST "GLIBC_2.17"
#endif

__asm__(".symver pthread_create,pthread_create@" FIRST);
__asm__(".symver pthread_join,pthread_join@" FIRST);
__asm__(".symver pthread_sigmask,pthread_sigmask@" FIRST);
