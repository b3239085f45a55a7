# Warnings, the same for gcc and clang; every one is an error but in a user's release build, whose
# compiler may know more of them than ours did (the lints build it with -DWARNINGS_ARE_ERRORS=ON).
option(WARNINGS_ARE_ERRORS "Fail on a warning" ON)
if(WARNINGS_ARE_ERRORS)
    add_compile_options(-Werror)
endif()
add_compile_options(
    -Wall -Wextra -Wpedantic
    -Wshadow -Wconversion -Wstrict-prototypes -Wmissing-prototypes
    -Wformat=2 -Wvla -Wwrite-strings -Wundef -Wpointer-arith)

# Hidden: a symbol of ours must not take the place of a library's own of the same name.
add_compile_options(-fvisibility=hidden -fstack-protector-strong -fno-omit-frame-pointer)
if(CMAKE_BUILD_TYPE STREQUAL "RelWithDebInfo" OR CMAKE_BUILD_TYPE STREQUAL "Release")
    add_compile_options(-D_FORTIFY_SOURCE=2)
    add_link_options(-Wl,-z,relro,-z,now)
endif()
