# Run after a test program is linked: asks it what it holds and writes the file `list` that ctest reads.
#   cmake -D program=FILE -D list=FILE -D folder=FOLDER -D tests_a_process=N -P list_tests.cmake
# Every test is an entry and a process of its own, so none may need another. Where TRIREME_TESTS_SHARE=1 is in ctest's
# environment, up to N instances of one parameterized test, or plain tests of a suite, share a process: none may disturb
# another, and a program that takes longer to start than most of its tests to run starts seldom. The file that includes
# the list sets `properties`.
cmake_minimum_required(VERSION 3.25)

execute_process(COMMAND ${program} --gtest_list_tests OUTPUT_VARIABLE text COMMAND_ERROR_IS_FATAL ANY)
string(REPLACE ";" "," text "${text}")
string(REPLACE "\n" ";" lines "${text}")

# append_entry(name test...): one entry of ctest, in `script`.
function(append_entry name)
  set(skipped "")
  if(ARGC EQUAL 2)  # one that is skipped beside others must not hide one that fails
    set(skipped "SKIP_REGULAR_EXPRESSION [=[\\[  SKIPPED \\]]=] ")
  endif()
  list(JOIN ARGN ":" filter)
  string(APPEND script "add_test([=[${name}]=] [=[${program}]=] [=[--gtest_filter=${filter}]=])\n"
         "set_tests_properties([=[${name}]=] PROPERTIES WORKING_DIRECTORY [=[${folder}]=] "
         "${skipped}\${properties})\n")
  set(script "${script}" PARENT_SCOPE)
endfunction()

# tests_<key>: those that may share a process; keys in the order of the program.
set(keys "")
set(script "")
foreach(line IN LISTS lines)
  string(REGEX REPLACE " +#.*" "" line "${line}")  # the value of a parameter
  if(line MATCHES "^([^ ]+)\\.$")
    set(suite ${CMAKE_MATCH_1})
  elseif(line MATCHES "^  ([^ /]+)(/?.*)$")
    set(test ${suite}.${CMAKE_MATCH_1}${CMAKE_MATCH_2})
    append_entry(${test} ${test})
    set(key ${suite})
    if(CMAKE_MATCH_2)
      set(key ${suite}.${CMAKE_MATCH_1})
    endif()
    list(APPEND keys ${key})
    list(APPEND "tests_${key}" ${test})
  endif()
endforeach()
list(REMOVE_DUPLICATES keys)
if(script STREQUAL "")
  message(FATAL_ERROR "${program} holds no test")
endif()
set(alone "${script}")

set(script "")
foreach(key IN LISTS keys)
  list(LENGTH "tests_${key}" count)
  math(EXPR shards "(${count} + ${tests_a_process} - 1) / ${tests_a_process}")
  foreach(shard RANGE 1 ${shards})
    # Neighbours, which take about as long, go to different processes.
    set(share "")
    math(EXPR first "${shard} - 1")
    math(EXPR last "${count} - 1")
    foreach(index RANGE ${first} ${last} ${shards})
      list(GET "tests_${key}" ${index} test)
      list(APPEND share ${test})
    endforeach()
    set(name ${key})
    if(tests_a_process EQUAL 1)
      set(name ${share})
    elseif(shards GREATER 1)
      set(name "${key} ${shard}/${shards}")
    endif()
    append_entry("${name}" ${share})
  endforeach()
endforeach()
file(WRITE ${list} "if(\"\$ENV{TRIREME_TESTS_SHARE}\" STREQUAL \"1\")\n${script}else()\n${alone}endif()\n")
