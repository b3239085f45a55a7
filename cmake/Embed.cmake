# Writes OUTPUT: an array SYMBOL of {name without its ending, text}, one element a file of FILES.
file(WRITE ${OUTPUT}.tmp "/* Made from the files named in it; do not edit. */\n"
    "static const struct {\n    const char *name;\n    const char *text;\n} ${SYMBOL}[] = {\n")
list(SORT FILES)
foreach(file IN LISTS FILES)
    get_filename_component(name ${file} NAME_WE)
    file(READ ${file} text)
    string(REPLACE "\\" "\\\\" text "${text}")
    string(REPLACE "\"" "\\\"" text "${text}")
    string(REPLACE "\n" "\\n\"\n     \"" text "${text}")
    file(APPEND ${OUTPUT}.tmp "    {\"${name}\",\n     \"${text}\"},\n")
endforeach()
file(APPEND ${OUTPUT}.tmp "};\n")
file(RENAME ${OUTPUT}.tmp ${OUTPUT})
