/** room is how high the picture is, whether it is there or on its way. */
export const room = "h-[26rem] sm:h-[34rem] lg:h-[36rem] 2xl:h-[44rem]";
