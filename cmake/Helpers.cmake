# add_layer(NAME LIBRARIES…)   every .c of the folder but main.c, as one static library
function(add_layer name)
    file(GLOB sources CONFIGURE_DEPENDS ${PROJECT_SOURCE_DIR}/${name}/*.c)
    list(FILTER sources EXCLUDE REGEX "/main\\.c$")
    add_library(${name} STATIC ${sources})
    target_link_libraries(${name} PUBLIC ${ARGN})
endfunction()

# add_program(NAME MAIN LAYER…)   the target is NAME_program, as a layer may bear the same name
function(add_program name main)
    add_executable(${name}_program ${main})
    set_target_properties(${name}_program PROPERTIES OUTPUT_NAME ${name})
    target_link_libraries(${name}_program PRIVATE ${ARGN})
endfunction()

# add_unit(NAME LAYER…)   tests/unit/test_NAME.c as a test of its own, written with check
function(add_unit name)
    add_executable(test_${name} test_${name}.c)
    target_link_libraries(test_${name} PRIVATE ${ARGN} PkgConfig::CHECK)
    add_test(NAME unit_${name} COMMAND test_${name})
    set_tests_properties(unit_${name} PROPERTIES LABELS unit TIMEOUT 300)
endfunction()

# embed_files(LAYER SYMBOL PATTERN)   files as text in generated/SYMBOL.h, made by Embed.cmake
function(embed_files layer symbol pattern)
    file(GLOB files CONFIGURE_DEPENDS ${PROJECT_SOURCE_DIR}/${pattern})
    set(header ${PROJECT_BINARY_DIR}/generated/${symbol}.h)
    add_custom_command(
        OUTPUT ${header}
        COMMAND ${CMAKE_COMMAND} -DSYMBOL=${symbol} -DOUTPUT=${header} "-DFILES=${files}"
                -P ${PROJECT_SOURCE_DIR}/cmake/Embed.cmake
        DEPENDS ${files} ${PROJECT_SOURCE_DIR}/cmake/Embed.cmake
        VERBATIM)
    target_sources(${layer} PRIVATE ${header})
endfunction()

# install_manual(SOURCE…)   NAME.SECTION.scd becomes man/manSECTION/NAME.SECTION
function(install_manual)
    foreach(source ${ARGN})
        get_filename_component(page ${source} NAME_WLE)
        string(REGEX REPLACE ".*\\." "" section ${page})
        set(output ${PROJECT_BINARY_DIR}/man/${page})
        add_custom_command(
            OUTPUT ${output}
            COMMAND ${CMAKE_COMMAND} -E make_directory ${PROJECT_BINARY_DIR}/man
            COMMAND sh -c "${SCDOC} <${PROJECT_SOURCE_DIR}/${source} >${output}"
            DEPENDS ${PROJECT_SOURCE_DIR}/${source}
            VERBATIM)
        list(APPEND pages ${output})
        install(FILES ${output} DESTINATION ${CMAKE_INSTALL_MANDIR}/man${section})
    endforeach()
    add_custom_target(manual ALL DEPENDS ${pages})
endfunction()
