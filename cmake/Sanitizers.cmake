# SANITIZE=address,undefined | thread and COVERAGE=ON, chosen by the presets.
set(SANITIZE "" CACHE STRING "Sanitizers, as -fsanitize= takes them")
option(COVERAGE "Line coverage for gcovr" OFF)
option(BUILD_FUZZERS "Build the libFuzzer programs (needs clang)" OFF)

if(SANITIZE)
    add_compile_options(-fsanitize=${SANITIZE} -fno-sanitize-recover=all)
    add_link_options(-fsanitize=${SANITIZE})
endif()
if(COVERAGE)
    # Without atomic counters two threads would lose each other's counts.
    add_compile_options(--coverage -fprofile-update=atomic)
    add_link_options(--coverage)
endif()
if(BUILD_FUZZERS)
    # Coverage feedback in everything that the fuzzers link.
    add_compile_options(-fsanitize=fuzzer-no-link)
endif()
