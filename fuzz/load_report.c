/* What agents say: understood or not, the words for people stay inside the line, and what
 * all reports come to stays within its bounds. */
#include "fuzz.h"

#include "guard/load_report.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    str line = fuzz_exact((str){(const char *)data, size});
    struct load_wish wish = LOAD_WISH_NONE;
    struct load_report report;

    if (load_report_parse(line, &report) == ERR_OK) {
        HOLDS(!(report.says_up && report.says_down));
        HOLDS(!(report.says_ready && report.says_drain));
        load_wish_take(&wish, &report);
        HOLDS(wish.share <= RAMP_FULL);
        HOLDS(!load_wish_take(&wish, &report)); /* twice the same is once */
    }
    HOLDS(!report.reason.n || fuzz_is_inside(line, report.reason));
    fuzz_free(line);
    return 0;
}
