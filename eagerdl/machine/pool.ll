; A pool of threads that wait inside machine code, in LLVM's assembly language. `pool.py` fills in the words in braces and says
; what all this is for.
;
; A job is a function (i32 number of the thread, ptr part, i32 extra) and an array of parts; each thread takes the part of its
; number. `@word` holds what is asked for: the number of threads in its last byte, above it how many jobs there were. A worker that
; has the next value reads the rest, and nobody changes the rest before all workers of the job are through.

@word = internal global i32 0, align 64
@sleepers = internal global i32 0, align 64     ; workers that the system has to wake
@pending = internal global i32 0, align 64      ; workers of the job that are not through
@taken = internal global i32 0, align 64        ; 1 while a thread has the pool
@{prefix}threads = global i32 1                 ; of the pool, with the one that asks
@function = internal global ptr null            ; the job: function, parts, bytes of a part, extra
@parts = internal global ptr null
@size = internal global i64 0
@extra = internal global i32 0
@owner = internal global i64 0                  ; the thread that asks, as the system knows it
@selves = internal global [256 x i64] zeroinitializer   ; the workers, by their number

declare i64 @syscall(i64, ...)
declare i32 @sched_yield()
declare i64 @pthread_self()
{pause_declared}

; -- what workers do -----------------------------------------------------------------------------------------

define i32 @{prefix}work(ptr %nowhere, ptr %nowhere_either, i64 %number) {{
begin:
  %me = trunc i64 %number to i32
  %self = call i64 @pthread_self()
  %place = getelementptr [256 x i64], ptr @selves, i64 0, i64 %number
  store i64 %self, ptr %place
  br label %wait

wait:                                   ; for another word than the one seen last
  %seen = phi i32 [ 0, %begin ], [ %seen, %spin ], [ %seen, %yield ], [ %seen, %awake ], [ %now, %idle ], [ %now, %through ]
  %turns = phi i32 [ 0, %begin ], [ %turns.next, %spin ], [ %turns.next, %yield ], [ 0, %awake ], [ 0, %idle ], [ 0, %through ]
  %now = load atomic i32, ptr @word acquire, align 4
  %same = icmp eq i32 %now, %seen
  br i1 %same, label %again, label %wanted

again:                                  ; now and then the core is offered to whoever else may need it
  %patient = icmp ult i32 %turns, {spins}
  %turns.next = add i32 %turns, 1
  %late = and i32 %turns.next, 63
  %offer = icmp eq i32 %late, 0
  br i1 %patient, label %spin, label %sleep

spin:
  {pause}
  br i1 %offer, label %yield, label %wait

yield:
  %yielded = call i32 @sched_yield()
  br label %wait

sleep:                                  ; the system compares the word again, so that no job is missed
  %slept = atomicrmw add ptr @sleepers, i32 1 seq_cst
  %woken = call i64 (i64, ...) @syscall(i64 {futex}, ptr @word, i32 128, i32 %seen, ptr null)
  %left = atomicrmw sub ptr @sleepers, i32 1 seq_cst
  br label %awake

awake:
  br label %wait

wanted:
  %count = and i32 %now, 255
  %mine = icmp ult i32 %me, %count
  br i1 %mine, label %do, label %idle

idle:
  br label %wait

do:
  %job = load ptr, ptr @function
  %all = load ptr, ptr @parts
  %bytes = load i64, ptr @size
  %more = load i32, ptr @extra
  %offset = mul i64 %number, %bytes
  %part = getelementptr i8, ptr %all, i64 %offset
  call void %job(i32 %me, ptr %part, i32 %more)
  %one.less = atomicrmw sub ptr @pending, i32 1 release
  br label %through

through:
  br label %wait
}}

; -- what asks them ------------------------------------------------------------------------------------------

; Runs a job whose parts need each other, and gives 1; or gives 0 if the pool is taken, or too small.
define internal i32 @ask(ptr %job, i32 %count, i64 %bytes, ptr %all, i32 %more) {{
  %threads = load i32, ptr @{prefix}threads
  %fits = icmp ule i32 %count, %threads
  br i1 %fits, label %take, label %no

take:
  %before = atomicrmw xchg ptr @taken, i32 1 acquire
  %free = icmp eq i32 %before, 0
  br i1 %free, label %write, label %no

no:
  ret i32 0

write:
  %self = call i64 @pthread_self()
  store atomic i64 %self, ptr @owner monotonic, align 8
  store ptr %job, ptr @function
  store ptr %all, ptr @parts
  store i64 %bytes, ptr @size
  store i32 %more, ptr @extra
  %others = sub i32 %count, 1
  store atomic i32 %others, ptr @pending monotonic, align 4
  %old = load atomic i32, ptr @word monotonic, align 4
  %cleared = and i32 %old, -256
  %next = add i32 %cleared, 256
  %new = or i32 %next, %count
  store atomic i32 %new, ptr @word seq_cst, align 4
  %asleep = load atomic i32, ptr @sleepers seq_cst, align 4
  %all.awake = icmp eq i32 %asleep, 0
  br i1 %all.awake, label %own, label %wake

wake:
  %woken = call i64 (i64, ...) @syscall(i64 {futex}, ptr @word, i32 129, i32 2147483647)
  br label %own

own:
  call void %job(i32 0, ptr %all, i32 %more)
  br label %look

look:
  %turns = phi i32 [ 0, %own ], [ %turns.next, %spin ], [ 0, %yield ]
  %rest = load atomic i32, ptr @pending acquire, align 4
  %done = icmp eq i32 %rest, 0
  br i1 %done, label %end, label %again

again:                                  ; a worker may have lost its core
  %patient = icmp ult i32 %turns, 64
  br i1 %patient, label %spin, label %yield

spin:
  {pause}
  %turns.next = add i32 %turns, 1
  br label %look

yield:
  %yielded = call i32 @sched_yield()
  br label %look

end:
  store atomic i64 0, ptr @owner monotonic, align 8
  store atomic i32 0, ptr @taken release, align 4
  ret i32 1
}}

; -- jobs of OpenBLAS ----------------------------------------------------------------------------------------

; What OpenBLAS calls in place of its own threads: who finds the pool taken waits for it, because these serve one job at a time.
; They do what the pool cannot: jobs for more threads than it has, and those of a job that it is doing.
define void @{prefix}blas(i32 %sync, ptr %job, i32 %count, i64 %bytes, ptr %queue, i32 %more) {{
  br label %begin

begin:
  %helped = call i32 @ask(ptr %job, i32 %count, i64 %bytes, ptr %queue, i32 %more)
  %well = icmp ne i32 %helped, 0
  br i1 %well, label %end, label %refused

refused:
  %threads = load i32, ptr @{prefix}threads
  %fits = icmp ule i32 %count, %threads
  br i1 %fits, label %who, label %alone

who:
  %self = call i64 @pthread_self()
  %asking = load atomic i64, ptr @owner monotonic, align 8
  %is.owner = icmp eq i64 %asking, %self
  br i1 %is.owner, label %alone, label %other

other:                                  ; is it one of the workers?
  %index = phi i32 [ 1, %who ], [ %index.next, %not.this ]
  %known = icmp ult i32 %index, %threads
  br i1 %known, label %compare, label %wait

compare:
  %place = getelementptr [256 x i64], ptr @selves, i64 0, i32 %index
  %one = load i64, ptr %place
  %is.this = icmp eq i64 %one, %self
  br i1 %is.this, label %alone, label %not.this

not.this:
  %index.next = add i32 %index, 1
  br label %other

wait:
  %yielded = call i32 @sched_yield()
  br label %begin

alone:
  %set = inttoptr i64 {set_callback} to ptr
  %exec = inttoptr i64 {exec_blas} to ptr
  call void %set(ptr null)
  %count.wide = zext i32 %count to i64
  %status = call i32 %exec(i64 %count.wide, ptr %queue)
  call void %set(ptr @{prefix}blas)
  br label %end

end:
  ret void
}}

; -- jobs of programs ----------------------------------------------------------------------------------------

; A part is two words: the code of a kernel, and the address of its table.
define internal void @run_part(i32 %me, ptr %part, i32 %more) {{
  %code = load ptr, ptr %part
  %at = getelementptr i64, ptr %part, i64 1
  %table = load i64, ptr %at
  %nowhere = inttoptr i64 {nowhere} to ptr
  %nowhere.either = inttoptr i64 {nowhere_either} to ptr
  %status = call i32 %code(ptr %nowhere, ptr %nowhere.either, i64 %table)
  ret void
}}

; A kernel itself: it runs the parts that its table tells of, their number first, at the same time if the pool is free.
define i32 @{prefix}together(ptr %nowhere, ptr %nowhere_either, i64 %table) {{
  %place = inttoptr i64 %table to ptr
  %many = load i64, ptr %place
  %count = trunc i64 %many to i32
  %all = getelementptr i64, ptr %place, i64 1
  %helped = call i32 @ask(ptr @run_part, i32 %count, i64 16, ptr %all, i32 0)
  %well = icmp ne i32 %helped, 0
  br i1 %well, label %end, label %next

next:
  %index = phi i32 [ 0, %0 ], [ %index.next, %next ]
  %index.wide = zext i32 %index to i64
  %offset = mul i64 %index.wide, 16
  %part = getelementptr i8, ptr %all, i64 %offset
  call void @run_part(i32 %index, ptr %part, i32 0)
  %index.next = add i32 %index, 1
  %more = icmp ult i32 %index.next, %count
  br i1 %more, label %next, label %end

end:
  ret i32 0
}}
