/*
 * What we ask of the compiler, and the only file with an `#if` in it.
 * Linux with gcc or clang; nothing here does anything at run time.
 */
#ifndef BASE_COMPILER_H
#define BASE_COMPILER_H

#include <stddef.h>

#define MUST_CHECK __attribute__((warn_unused_result))
#define NORETURN __attribute__((noreturn))
#define PRINTF_LIKE(at, first) __attribute__((format(printf, at, first)))
#define ALWAYS_INLINE inline __attribute__((always_inline))
#define NEVER_INLINE __attribute__((noinline))
#define UNUSED __attribute__((unused))
#define CACHE_LINE 64
#define CACHE_ALIGNED _Alignas(CACHE_LINE)

#define likely(x) __builtin_expect(!!(x), 1)
#define unlikely(x) __builtin_expect(!!(x), 0)

/*
 * The top bits of sixteen bytes (a vector of the compiler's) as a number, the first
 * byte's in bit 0: one instruction where there is SSE2, two multiplications elsewhere.
 */
#if defined(__SSE2__)
#define VECTOR_MASK(v) \
    ((unsigned)__builtin_ia32_pmovmskb128((__attribute__((vector_size(16))) char)(v)))
#else
static inline unsigned vector_mask(__attribute__((vector_size(16))) unsigned char v)
{
    __attribute__((vector_size(16))) unsigned long w =
        (__attribute__((vector_size(16))) unsigned long)v;
    unsigned long low = w[0] >> 7 & 0x0101010101010101,
                  high = w[1] >> 7 & 0x0101010101010101;

    return (unsigned)(low * 0x0102040810204080 >> 56) |
           (unsigned)(high * 0x0102040810204080 >> 56) << 8;
}
#define VECTOR_MASK(v) vector_mask((__attribute__((vector_size(16))) unsigned char)(v))
#endif

/* Between two looks at a word that another thread is about to change. */
#if defined(__x86_64__)
#define CPU_RELAX() __builtin_ia32_pause()
#else
#define CPU_RELAX() ((void)0)
#endif

#define array_len(a) (sizeof(a) / sizeof((a)[0]))
#define container_of(ptr, type, member) \
    ((type *)(void *)((char *)(ptr)-offsetof(type, member)))

#if defined(__SANITIZE_ADDRESS__)
#define HAS_ADDRESS_SANITIZER 1
#elif defined(__has_feature)
#if __has_feature(address_sanitizer)
#define HAS_ADDRESS_SANITIZER 1
#endif
#endif

/* Memory given back to a free list is poisoned, so that the sanitizer sees late use. */
#if defined(HAS_ADDRESS_SANITIZER)
#include <sanitizer/asan_interface.h>
#define MEMORY_POISON(p, n) __asan_poison_memory_region((p), (n))
#define MEMORY_UNPOISON(p, n) __asan_unpoison_memory_region((p), (n))
#else
#define MEMORY_POISON(p, n) ((void)(p), (void)(n))
#define MEMORY_UNPOISON(p, n) ((void)(p), (void)(n))
#endif

#endif
