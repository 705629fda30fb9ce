/*
 * Character classes of HTTP and URIs, one byte of bits a character. What stands in no
 * class (controls, blank, DEL, everything from 0x80 up) is zero. The test derives each
 * class from the words of the standards again.
 */
#include "proto/chars.h"

/* clang-format off */
const unsigned char char_classes[256] = {
     0,  0,  0,  0,  0,  0,  0,  0,  0,  0,  0,  0,  0,  0,  0,  0,  /* 00 */
     0,  0,  0,  0,  0,  0,  0,  0,  0,  0,  0,  0,  0,  0,  0,  0,  /* 10 */
     0,  7,  2,  1,  7,  3,  7,  7,  6,  6,  7,  7,  6, 47, 47,  6,  /* 20 */
    63, 63, 63, 63, 63, 63, 63, 63, 63, 63,  6,  6,  2,  6,  2,  2,  /* 30 */
     6, 63, 63, 63, 63, 63, 63, 47, 47, 47, 47, 47, 47, 47, 47, 47,  /* 40 */
    47, 47, 47, 47, 47, 47, 47, 47, 47, 47, 47,  2,  2,  2,  3, 47,  /* 50 */
     3, 63, 63, 63, 63, 63, 63, 47, 47, 47, 47, 47, 47, 47, 47, 47,  /* 60 */
    47, 47, 47, 47, 47, 47, 47, 47, 47, 47, 47,  2,  3,  2, 39,  0,  /* 70 */
};
/* clang-format on */
